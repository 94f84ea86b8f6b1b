"""One object is written to a remote, found, read back, compared and deleted."""

import secrets

from leitmotif.errors import LeitmotifError
from leitmotif.share.remote.failures import explained
from leitmotif.share.remote.opening import Remote

FOLDER = "leitmotif-trial"


def try_remote(remote: Remote) -> None:
    """Do with one small object all that ``dvc push`` and ``dvc pull`` do.

    Raises LeitmotifError that says which step fails, and why.
    """
    files, system = remote.files, remote.store.fs
    base = system.parent(system.parent(remote.store.path))  # without files/md5
    folder = system.join(base, FOLDER)
    path = system.join(folder, secrets.token_hex(16))
    content = secrets.token_bytes(1024)
    with explained("an object cannot be written", remote.url, remote.endpoint):
        system.makedirs(folder)
        files.pipe_file(path, content)
    with explained("an object cannot be listed", remote.url, remote.endpoint):
        files.invalidate_cache()
        listed = [str(name).rpartition("/")[2] for name in files.find(folder)]
    with explained("an object cannot be read back", remote.url, remote.endpoint):
        back = files.cat_file(path)
    with explained("an object cannot be deleted", remote.url, remote.endpoint):
        files.rm_file(path)
        left = files.exists(path)
    if not remote.is_s3 and not left:
        files.rmdir(folder)
    if back != content or path.rpartition("/")[2] not in listed or left:
        raise LeitmotifError(
            f"{remote.place} does not keep what is written to it",
            found=f"{len(back)} of {len(content)} bytes read back, "
            f"{'listed' if listed else 'not listed'}, {'not deleted' if left else 'deleted'}",
            expected="the same bytes, listed, and gone after they are deleted",
            fix="check the server: its S3 interface may be set up wrongly",
        )
