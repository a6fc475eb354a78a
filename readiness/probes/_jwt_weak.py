"""The shared secrets that are tried first: a token signed with one of them protects nothing."""

from readiness.probes._jwt_token import Token

# Defaults and examples of tutorials, libraries and jwt.io, and the commonest passwords.
_WORDS = """
secret secretkey secret_key secret-key secret123 secret1 mysecret mysecretkey my_secret my-secret
my-secret-key my_secret_key mySecretKey supersecret super-secret super_secret super-secret-key
supersecretkey supersecretjwt topsecret top-secret verysecret very-secret shhhhh shhhhhhared-secret
jwt jwtsecret jwt_secret jwt-secret jwtSecret jwt_secret_key jwt-secret-key jwtkey JWT_SECRET
SECRET SECRET_KEY your-secret your_secret your-secret-key your_secret_key yoursecretkey
your-256-bit-secret your-384-bit-secret your-512-bit-secret your_jwt_secret your-jwt-secret
a-string-secret-at-least-256-bits-long a-valid-string-secret-that-is-at-least-384-bits-long
a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long some-secret somesecret
changeme change-me change_me changeit changethis change-this ChangeMe replaceme replace-me
key private privatekey token accesstoken access_token auth session default dev development test
testing test-secret example sample demo local staging production insecure none null undefined
password passw0rd Password1 password1 password123 pass admin admin123 root user guest welcome
letmein qwerty abc123 iloveyou dragon monkey master hello hello123 helloworld
0 1 123 1234 12345 123456 1234567 12345678 123456789 1234567890 00000000 11111111
0123456789abcdef 0123456789abcdef0123456789abcdef
09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7
django-insecure fastapi flask express spring laravel node nodejs hmackey hmac signing-key
"""
_WITH_SPACES = (b"", b" ", b"keyboard cat", b"my secret")
COMMON: tuple[bytes, ...] = (*_WITH_SPACES, *map(str.encode, _WORDS.split()))
"""What is tried, without a request."""


def known_secret(token: Token) -> bytes | None:
    """Return the secret among COMMON that the token was signed with, None if it is none of them."""
    return next((secret for secret in COMMON if token.signed_with(secret)), None)
