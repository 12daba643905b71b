from __future__ import annotations

import shutil
from collections import namedtuple

import pytest
from weight_server import Site, serving, sha1_of

from caffe_fcn.cli import main as command
from caffe_fcn.errors import DownloadError, FileAccessError, FormatError, NotSupportedError
from caffe_fcn.zoo import download as downloads
from caffe_fcn.zoo.cards import find
from caffe_fcn.zoo.fetch import fetch

SIZE = 4_122_119  # of the file that is served
HALF = 2_000_000


@pytest.fixture
def site(weights):
    with serving(Site(weights)) as site:
        yield site


@pytest.fixture
def card(make_card, site):
    return make_card(f'weights_url = "{site.url}"\nweights_sha1 = "{sha1_of(site.body)}"')


def waits():
    """A clock that does not wait, and what it was asked to wait."""
    slept: list[float] = []
    return slept, slept.append


def left(card):
    return sorted(path.name for path in card.home.iterdir())


def test_a_whole_file(card, site):
    calls = []
    done = fetch(card, progress=lambda *pair: calls.append(pair))
    assert done.path == card.home / "tiny.caffemodel" == card.weights_file
    assert done.path.read_bytes() == site.body and not done.was_there
    assert left(card) == ["tiny.caffemodel"]
    assert calls[0] == (0, SIZE) and calls[-1] == (SIZE, SIZE)


def test_a_file_that_is_there_is_not_fetched_again(card, site):
    fetch(card)
    assert fetch(card).was_there and len(site.seen) == 1
    assert not fetch(card, force=True).was_there and len(site.seen) == 2


def test_a_file_that_is_there_is_checked(card):
    path = fetch(card).path
    path.write_bytes(b"not it")
    with pytest.raises(FormatError, match=r"is there, but it is not the file .* --force"):
        fetch(card)


def test_broken_connections_are_resumed(card, site):
    site.cuts = [1_000_000, 0, 1_500_000]
    slept, sleep = waits()
    assert fetch(card, sleep=sleep).path.read_bytes() == site.body
    assert site.seen == [None, "bytes=1000000-", "bytes=1000000-", "bytes=2500000-"]
    assert slept == [1, 2, 1], "pauses double until something arrives"


def test_a_later_call_goes_on_where_the_last_one_stopped(card, site):
    site.cuts = [HALF, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"2,000,000 of 4,122,119 bytes .5 attempts.* goes on from there"):
        fetch(card, sleep=waits()[1])
    assert card.weights_file is None
    assert left(card) == ["tiny.caffemodel.part", "tiny.caffemodel.part.json"]
    assert fetch(card).path.read_bytes() == site.body
    assert site.seen[-1] == f"bytes={HALF}-"


def test_a_server_without_ranges_starts_again(card, site):
    site.ranges, site.cuts = False, [HALF]
    assert fetch(card, sleep=waits()[1]).path.read_bytes() == site.body


def test_a_server_that_does_not_tell_versions_is_not_resumed(card, site):
    site.etag, site.cuts = None, [HALF]
    assert fetch(card, sleep=waits()[1]).path.read_bytes() == site.body
    assert site.seen == [None, None]


def test_a_file_that_changed_meanwhile_starts_again(make_card, site, weights):
    card = make_card(f'weights_url = "{site.url}"')
    site.body, site.cuts = b"x" * SIZE, [HALF, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(card, sleep=waits()[1])
    site.body, site.etag = weights, '"two"'
    assert fetch(card).path.read_bytes() == weights


def test_a_shorter_file_than_the_part_starts_again(card, site, weights):
    site.body, site.cuts = weights * 2, [SIZE + 10, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(card, sleep=waits()[1])
    site.body = weights  # under the same ETag
    assert fetch(card, sleep=waits()[1]).path.read_bytes() == weights


def test_a_server_that_sends_other_bytes_than_asked_for(card, site):
    site.cuts, site.lying_range = [HALF], True
    assert fetch(card, sleep=waits()[1]).path.read_bytes() == site.body
    assert site.seen == [None, f"bytes={HALF}-", None]


def test_another_address_starts_again(card, site):
    site.cuts = [HALF, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(card, sleep=waits()[1])
    fetch(card, source=site.url + "?again")
    assert site.seen[-1] is None


def test_a_wrong_checksum_removes_the_file(make_card, site):
    card = make_card(f'weights_url = "{site.url}"\nweights_sha1 = "{"0" * 40}"')
    with pytest.raises(FormatError, match=f"its SHA-1 is {sha1_of(site.body)}, the published one {'0' * 40}; it was r"):
        fetch(card)
    assert left(card) == [] and card.weights_file is None


def test_without_a_published_checksum_a_page_is_no_net(make_card, site):
    card = make_card(f'weights_url = "{site.url}"')
    site.body = b"<html>log in to this network</html>"
    with pytest.raises(FormatError, match=f"what {site.url} gave was removed: .* holds no weights"):
        fetch(card)
    assert left(card) == []


def test_without_a_published_checksum_weights_must_fit(make_card, site, root):
    card = make_card(f'weights_url = "{site.url}"')
    shutil.copy(root / "models/hed/deploy.prototxt", card.folder)
    with pytest.raises(FormatError, match=r"layer 'conv1_1' has blobs of \[432, 16\] values there, of \[1728, 64\] in"):
        fetch(card)
    assert left(card) == []


def test_without_a_published_checksum_weights_of_another_kind_of_net(make_card, site, root):
    card = make_card(f'weights_url = "{site.url}"')
    shutil.copy(root / "models/resnet50/deploy.prototxt", card.folder)
    with pytest.raises(FormatError, match="none of its layers has such a name"):
        fetch(card)


def test_without_a_length_a_truncated_file_is_noticed(card, site):
    site.no_length, site.cuts = True, [HALF]
    with pytest.raises(FormatError, match="SHA-1"):
        fetch(card)


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_final(card, site, code):
    site.codes = [code]
    slept, sleep = waits()
    with pytest.raises(DownloadError, match=f"the server answers {code} .*--from"):
        fetch(card, sleep=sleep)
    assert slept == [] and len(site.seen) == 1


def test_a_busy_server_is_asked_again(card, site):
    site.codes = [503, 429, 500]
    slept, sleep = waits()
    fetch(card, sleep=sleep)
    assert slept == [1, 2, 4]


def test_a_busy_server_is_not_asked_for_ever(card, site):
    site.codes = [503] * 9
    with pytest.raises(DownloadError, match="503"):
        fetch(card, sleep=waits()[1])
    assert len(site.seen) == downloads.ATTEMPTS


def test_no_network(make_card):
    with serving(Site(b"")) as gone:
        pass
    slept, sleep = waits()
    with pytest.raises(DownloadError, match=r"refused.*5 attempts in a row; 0 bytes"):
        fetch(make_card(f'weights_url = "{gone.url}"'), sleep=sleep)
    assert slept == [1, 2, 4, 8]


def test_a_server_that_falls_silent(card, site, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.05)
    monkeypatch.setattr(downloads, "ATTEMPTS", 2)
    site.silent = True
    with pytest.raises(DownloadError, match="timed out"):
        fetch(card, sleep=waits()[1])


def test_redirections_are_followed(card, site):
    site.redirect = site.url.replace("weights.caffemodel", "moved")
    assert fetch(card).path.read_bytes() == site.body


def test_redirections_lead_nowhere_but_to_http(card, site, tmp_path):
    site.redirect = (tmp_path / "secret").as_uri()
    with pytest.raises(DownloadError):
        fetch(card, sleep=waits()[1])


def test_redirections_come_to_an_end(card, site):
    site.redirect = site.url
    with pytest.raises(DownloadError, match=r"answers 302 .*infinite loop.*; --from takes another address"):
        fetch(card, sleep=waits()[1])  # in one line: the dot is no line break


def test_a_full_disk_is_noticed_before_it_is_full(card, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(9, 9, SIZE + 100))
    with pytest.raises(FileAccessError, match=r"not enough room .* 4,122,119 bytes are still to come"):
        fetch(card)
    assert left(card) == []


def test_two_processes_do_not_write_one_file(card, site):
    inside = []

    def second(done, total):
        if not inside:
            inside.append(True)
            with pytest.raises(FileAccessError, match="another process"):
                fetch(card)

    fetch(card, progress=second)
    assert inside and card.weights_file


@pytest.mark.parametrize("as_uri", [False, True])
def test_from_a_file(card, tmp_path, weights, as_uri):
    file = tmp_path / "my own.caffemodel"
    file.write_bytes(weights)
    path = fetch(card, source=file.as_uri() if as_uri else str(file)).path
    assert path.read_bytes() == weights and left(card) == ["tiny.caffemodel"]


def test_from_a_file_that_is_another_one(card, tmp_path):
    file = tmp_path / "mine.caffemodel"
    file.write_bytes(b"mine")
    with pytest.raises(FormatError, match="--no-check"):
        fetch(card, source=str(file))
    assert file.read_bytes() == b"mine" and left(card) == []


def test_other_addresses_are_refused(card):
    with pytest.raises(NotSupportedError, match="ftp://"):
        fetch(card, source="ftp://example.org/x")


@pytest.mark.parametrize("address", ["http://[", "http://a b/c", "http://host:port/", "http://127.0.0.1/ä"])
def test_what_is_no_address(card, address):
    slept, sleep = waits()
    with pytest.raises(DownloadError, match="it is no address"):
        fetch(card, source=address, sleep=sleep)
    assert slept == []


def test_without_published_weights(make_card):
    with pytest.raises(NotSupportedError, match="no weights of 'tiny' were published"):
        fetch(make_card(changes={'weights = "tiny.caffemodel"': ""}))


def test_without_a_published_address(make_card):
    with pytest.raises(NotSupportedError, match="--from"):
        fetch(make_card())


def test_shipped_weights_can_be_copied_out(tmp_path):
    card = find("camvid-fcn8s-small")
    assert fetch(card).was_there
    copy = fetch(card, folder=tmp_path).path
    assert copy.parent == tmp_path and copy.read_bytes() == card.weights_file.read_bytes()


def run(*arguments):
    return command.main(["fetch", *map(str, arguments)])


def test_the_command(card, site, capsys):
    assert run(card.folder) == 0
    out, err = capsys.readouterr()
    assert out == f"{card.weights_file} fetched ({SIZE:,} bytes; SHA-1 {sha1_of(site.body)} as published)\n" and not err
    assert run(card.folder) == 0
    assert "is there" in capsys.readouterr().out


def test_the_command_takes_weights_of_ones_own(make_card, tmp_path, capsys, weights):
    card = make_card(f'weights_sha1 = "{"0" * 40}"')
    (tmp_path / "mine").write_bytes(weights)
    assert run(card.folder, "--from", tmp_path / "mine") == 2
    assert "is not the file that was published" in capsys.readouterr().err
    assert run(card.folder, "--from", tmp_path / "mine", "--no-check", "--to", tmp_path / "there") == 0
    assert (tmp_path / "there/tiny.caffemodel").read_bytes() == weights


def test_the_published_address_is_always_checked(card):
    with pytest.raises(SystemExit):
        run(card.folder, "--no-check")


def test_an_interrupted_command_can_be_repeated(card, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("caffe_fcn.zoo.fetch.download", interrupt)
    assert run(card.folder) == 130
    assert "goes on" in capsys.readouterr().err
