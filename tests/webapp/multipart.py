"""Forms, to the letter; the test client's own would leave temporary files open."""

MULTIPART = "multipart/form-data; boundary=b"


def part(data: bytes, filename: str) -> bytes:
    """One file of a form, in the field `photo`; after the last comes END."""
    head = f'--b\r\nContent-Disposition: form-data; name="photo"; filename="{filename}"\r\n\r\n'
    return head.encode() + data + b"\r\n"


END = b"--b--\r\n"
