/* The yardstick: a one-core HTTP/1.1 server whose every delay is known to some microseconds.

   server MODE [NUMBER...] [CERTIFICATE KEY]      times in microseconds

     zero                  answers at once
     delay US              answers exactly US after the request arrived
     bimodal FAST SLOW N   SLOW for one request in N, drawn at random, FAST for the others
     stall LONG EVERY      answers at once, but not at all in the last LONG of each EVERY
     serial US             one worker, first come first served, US each: M/D/1 to Poisson arrivals
     forged N              one answer in N carries a second, uninvited answer in the same packet
     half N                one answer in N stops in the middle of its body, and stays open
     reset N               one request in N is answered by a reset
     drip N                one answer in N is a header that grows by one byte every 100 ms

   Arrival is the kernel's receive stamp (SO_TIMESTAMPNS), not the moment this process reads: it
   holds its own lateness against itself. It polls without sleep, so give it a core of its own.
   Prints its port. On stdin, `s` prints its statistics as a line of JSON, `r` resets them, and
   the end of the file ends it. Requests have no body. TLS (-DWITH_TLS) goes with `zero` alone. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/ssl.h>
#endif

#define CONNECTIONS 65536
#define QUEUE 65536 /* a power of two */
#define BUCKETS 4000000 /* of 1 us */
#define DRIP_NS 100000000ull

static const char OK[] = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: text/plain\r\n"
                         "Content-Length: 2\r\n\r\nok";
static const char HALF[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it";
static const char SLOW_HEAD[] = "HTTP/1.1 200 OK\r\nX-Slow: ";
static char forged[2 * sizeof OK];

enum mode { ZERO, DELAY, BIMODAL, STALL, SERIAL, FORGED, HALVED, RESET, DRIP };
static const char *const NAMES[] = {"zero",   "delay", "bimodal", "stall", "serial",
                                    "forged", "half",  "reset",   "drip"};
static const int NUMBERS[] = {0, 1, 3, 2, 1, 1, 1, 1, 1};

struct connection {
    uint32_t generation; /* tells two connections on one descriptor apart */
    uint8_t ends;        /* how much of the blank line that ends a request has come */
    uint8_t dripping;
    void *tls;
};
struct job {
    uint64_t arrival, due;
    uint32_t fd, generation;
};
struct queue { /* in order of `due` */
    struct job jobs[QUEUE];
    uint32_t head, tail;
};
struct histogram {
    uint32_t count[BUCKETS];
    uint64_t n, max;
};

static enum mode mode;
static uint64_t number[3], began, last_due, next_drip, served, attacks;
static uint64_t random_state = 88172645463325252ull;
static struct connection connections[CONNECTIONS];
static struct queue quick, slow;
static struct histogram response, lateness;
static int poller;
#ifdef WITH_TLS
static SSL_CTX *context;
#endif

static uint64_t ns(int i) { return number[i] * 1000; }

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t); /* the clock of the receive stamps */
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* Statistics */

static void record(struct histogram *h, uint64_t ns) {
    uint64_t us = ns / 1000;
    h->count[us < BUCKETS ? us : BUCKETS - 1]++;
    h->n++;
    if (us > h->max) h->max = us;
}

static uint64_t quantile(const struct histogram *h, double q) {
    uint64_t rank = (uint64_t)(q * (double)h->n), seen = 0;
    for (uint32_t i = 0; i < BUCKETS; i++)
        if ((seen += h->count[i]) > rank) return i;
    return h->max;
}

static void clear(struct histogram *h) { memset(h, 0, sizeof *h); }

static void print_distribution(const char *name, const struct histogram *h) {
    printf(", \"%s\": {\"p50\": %lu, \"p95\": %lu, \"p99\": %lu, \"max\": %lu}", name,
           quantile(h, .5), quantile(h, .95), quantile(h, .99), h->max);
}

static void command(void) {
    char line[16];
    ssize_t n = read(0, line, sizeof line);
    if (n <= 0) exit(0);
    if (line[0] == 's') {
        printf("{\"served\": %lu, \"attacks\": %lu", served, attacks);
        print_distribution("response_us", &response);
        print_distribution("lateness_us", &lateness);
        printf("}\n");
        fflush(stdout);
    }
    served = attacks = 0;
    clear(&response);
    clear(&lateness);
}

/* Connections */

static void hang_up(int fd) {
    connections[fd].generation++;
    connections[fd].dripping = 0;
#ifdef WITH_TLS
    if (connections[fd].tls) SSL_free(connections[fd].tls);
    connections[fd].tls = NULL;
#endif
    close(fd);
}

static void welcome(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (mode != ZERO) setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        connections[fd].ends = connections[fd].dripping = 0;
#ifdef WITH_TLS
        if (context) {
            SSL *tls = connections[fd].tls = SSL_new(context);
            SSL_set_fd(tls, fd);
            SSL_set_accept_state(tls);
        }
#endif
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
}

static void put(int fd, const char *text, size_t length) {
    ssize_t n;
#ifdef WITH_TLS
    if (context) n = SSL_write(connections[fd].tls, text, (int)length);
    else
#endif
        n = send(fd, text, length, MSG_NOSIGNAL);
    if (n != (ssize_t)length) hang_up(fd);
}

/* Return the bytes read, 0 if there are none now, -1 at the end; `arrival` is theirs. */
static ssize_t take(int fd, char *buffer, size_t size, uint64_t *arrival) {
    ssize_t n;
#ifdef WITH_TLS
    if (context) {
        n = SSL_read(connections[fd].tls, buffer, (int)size);
        if (n > 0) return n;
        int why = SSL_get_error(connections[fd].tls, (int)n);
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
#endif
    if (mode == ZERO) {
        n = recv(fd, buffer, size, 0);
    } else {
        char control[64];
        struct iovec part = {buffer, size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                                 .msg_controllen = sizeof control};
        n = recvmsg(fd, &message, 0);
        *arrival = now();
        struct cmsghdr *stamp = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
        if (stamp && stamp->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(stamp), sizeof t);
            *arrival = t.tv_sec * 1000000000ull + t.tv_nsec;
        }
    }
    if (n > 0) return n;
    return n < 0 && errno == EAGAIN ? 0 : -1;
}

/* Answers */

static int one_in(uint64_t n) { /* xorshift64, Marsaglia 2003 */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n == 0;
}

static void attack(int fd) {
    struct linger at_once = {1, 0};
    attacks++;
    if (mode == FORGED) put(fd, forged, 2 * (sizeof OK - 1));
    if (mode == HALVED) put(fd, HALF, sizeof HALF - 1);
    if (mode == RESET) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        hang_up(fd);
    }
    if (mode == DRIP) {
        connections[fd].dripping = 1;
        put(fd, SLOW_HEAD, sizeof SLOW_HEAD - 1);
    }
}

static void queue_up(struct queue *queue, int fd, uint64_t arrival, uint64_t due) {
    if (queue->tail - queue->head == QUEUE) fail("the queue is full");
    queue->jobs[queue->tail++ % QUEUE] =
        (struct job){arrival, due, (uint32_t)fd, connections[fd].generation};
}

static void request(int fd, uint64_t arrival) {
    uint64_t phase = (arrival - began) % (number[1] ? ns(1) : 1);
    int rare = 0;
    switch (mode) {
    case DELAY: queue_up(&quick, fd, arrival, arrival + ns(0)); return;
    case BIMODAL:
        rare = one_in(number[2]);
        queue_up(rare ? &slow : &quick, fd, arrival, arrival + ns(rare));
        return;
    case STALL:
        rare = phase >= ns(1) - ns(0);
        queue_up(&quick, fd, arrival, rare ? arrival + ns(1) - phase : arrival);
        return;
    case SERIAL:
        last_due = (arrival > last_due ? arrival : last_due) + ns(0);
        queue_up(&quick, fd, arrival, last_due);
        return;
    case FORGED: case HALVED: case RESET: case DRIP:
        if (one_in(number[0])) {
            attack(fd);
            return;
        } /* fall through */
    case ZERO: served++; put(fd, OK, sizeof OK - 1); return;
    }
}

static void hear(int fd) {
    char buffer[16384];
    uint64_t arrival = 0;
    ssize_t n;
    do {
        n = take(fd, buffer, sizeof buffer, &arrival);
        uint32_t generation = connections[fd].generation;
        for (ssize_t i = 0; i < n && connections[fd].generation == generation; i++) {
            uint8_t *ends = &connections[fd].ends;
            *ends = buffer[i] == "\r\n\r\n"[*ends] ? *ends + 1 : buffer[i] == '\r';
            if (*ends == 4) {
                *ends = 0;
                request(fd, arrival);
            }
        }
        if (n < 0) hang_up(fd);
    } while (n > 0 && connections[fd].tls); /* OpenSSL may hold what epoll cannot see */
}

static void serve_due(struct queue *queue) {
    while (queue->head != queue->tail) {
        struct job *job = &queue->jobs[queue->head % QUEUE];
        uint64_t at = now();
        if (at < job->due) return;
        queue->head++;
        if (connections[job->fd].generation != job->generation) continue; /* it left */
        served++;
        record(&response, at - job->arrival); /* the packet is on its way some 2 us later */
        record(&lateness, at - job->due);
        put((int)job->fd, OK, sizeof OK - 1);
    }
}

static void drip(void) {
    if (now() < next_drip) return;
    next_drip = now() + DRIP_NS;
    for (int fd = 0; fd < CONNECTIONS; fd++)
        if (connections[fd].dripping) put(fd, "a", 1);
}

/* Start */

static int listen_on_any_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (void *)&address, length) || listen(listener, 4096) ||
        getsockname(listener, (void *)&address, &length))
        fail("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void settle(int argc, char **argv) {
    for (mode = ZERO; mode <= DRIP; mode++)
        if (argc > 1 && !strcmp(argv[1], NAMES[mode])) break;
    if (mode > DRIP || argc < 2 + NUMBERS[mode]) {
        fprintf(stderr, "server MODE [NUMBER...] [CERTIFICATE KEY]\n");
        exit(2);
    }
    for (int i = 0; i < NUMBERS[mode]; i++) number[i] = strtoull(argv[2 + i], NULL, 10);
#ifdef WITH_TLS
    if (argc > 3 + NUMBERS[mode]) {
        context = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_file(context, argv[2 + NUMBERS[mode]], SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_use_PrivateKey_file(context, argv[3 + NUMBERS[mode]], SSL_FILETYPE_PEM) != 1)
            fail("certificate");
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    }
#endif
    memcpy(forged, OK, sizeof OK - 1);
    memcpy(forged + sizeof OK - 1, OK, sizeof OK - 1);
    began = now();
}

/* Where allowed: a yardstick should not wait its turn. Linux weighs sessions against each other
   (autogroup) before the processes in them, so run it in a session of its own. */
static void go_first(void) {
    int group = open("/proc/self/autogroup", O_WRONLY);
    if (setpriority(PRIO_PROCESS, 0, -20) || group < 0 || write(group, "-20", 3) != 3) return;
    close(group);
}

int main(int argc, char **argv) {
    settle(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    go_first();
    poller = epoll_create1(0);
    int listener = listen_on_any_port();
    struct epoll_event mine[] = {{.events = EPOLLIN, .data.fd = listener}, {.events = EPOLLIN}};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &mine[0]);
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &mine[1]);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(poller, events, 64, 0);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == 0) command();
            else if (fd == listener) welcome(listener);
            else hear(fd);
            serve_due(&quick); /* after each event, lest a burst of arrivals delay an answer */
        }
        serve_due(&quick);
        serve_due(&slow);
        if (mode == DRIP) drip();
    }
}
