"""Plays our HLS with ffmpeg, mpv, VLC and hls.js in Chromium, side by side: does each play, and without breaks?

ffmpeg, mpv and VLC write what they play into a file: ``played_s`` is its length, ``breaks`` are stretches of 50 ms
without sound in it. hls.js is fetched by npm into a temporary folder; its ``played_s`` is the audio element's clock,
its ``breaks`` are pauses for lack of data and errors that it reports. What is not installed is left out and listed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lullwave.codecs.reading import decode

from ..measure import report
from ..radio.recorded_crowd import longest_silence_s
from ..radio.serving import lullwave

HLS_JS = "hls.js@1.6"
BREAK_S = 0.05
MARGIN_S = 30.0  # beyond the time played: start, and a playlist that is behind
CHROMIUM = ("chromium-headless-shell", "chromium")

PLAY = """async ([url, seconds]) => {
  const audio = document.body.appendChild(document.createElement('audio'));
  const hls = new Hls(), seen = {breaks: 0, errors: []};
  hls.on(Hls.Events.ERROR, (_, data) => seen.errors.push(data.details));
  hls.loadSource(url);
  hls.attachMedia(audio);
  await new Promise(ready => hls.on(Hls.Events.MANIFEST_PARSED, ready));
  await audio.play();
  const begin = audio.currentTime;
  audio.addEventListener('waiting', () => { seen.breaks += audio.currentTime > begin + 1 ? 1 : 0; });
  await new Promise(done => setTimeout(done, seconds * 1000));
  return {...seen, played_s: audio.currentTime - begin, levels: hls.levels.length, date: String(hls.playingDate)};
}"""


def main() -> None:
    """Run the players and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, lullwave(name) as (_, port):
        folder, url = Path(name), f"http://127.0.0.1:{port}/stream.m3u8"
        urllib.request.urlopen(url).read()
        time.sleep(8.0)  # until segments are there
        folder.chmod(0o777)
        have = {program: play for program, play in PLAYERS.items() if shutil.which(program)}
        with ThreadPoolExecutor(len(have) + 1) as pool:
            rows = list(pool.map(lambda one: one[1](url, folder, given.seconds), have.items()))
        rows.append(hls_js(url, folder, given.seconds))
    left_out = sorted(PLAYERS.keys() - have.keys())
    report("hls players", rows, seconds=given.seconds, left_out=left_out)


def ffprobe(url: str, folder: Path, seconds: float) -> dict[str, Any]:
    """What ffprobe says of the stream, and its complaints."""
    command = ["ffprobe", "-v", "warning", "-show_streams", "-show_programs", "-of", "json", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MARGIN_S, check=False)
    streams = json.loads(done.stdout)["streams"]
    facts = ", ".join(f"{s['codec_name']} {s['profile']} {s['sample_rate']} Hz, {s['channels']} ch" for s in streams)
    return {"player": "ffprobe", "says": facts, "complaints": done.stderr.strip()[-200:]}


def ffmpeg(url: str, folder: Path, seconds: float) -> dict[str, Any]:
    command = ["ffmpeg", "-nostdin", "-v", "warning", "-i", url, "-t", str(seconds), f"{folder}/ffmpeg.wav"]
    return recorded("ffmpeg", command, folder / "ffmpeg.wav", seconds)


def mpv(url: str, folder: Path, seconds: float) -> dict[str, Any]:
    command = ["mpv", "--no-config", "--no-video", "--msg-level=all=warn", "--ao=pcm", f"--length={seconds}"]
    return recorded("mpv", [*command, f"--ao-pcm-file={folder}/mpv.wav", url], folder / "mpv.wav", seconds)


def vlc(url: str, folder: Path, seconds: float) -> dict[str, Any]:
    sout = f"#transcode{{acodec=s16l,channels=2}}:std{{access=file,mux=wav,dst={folder}/vlc.wav}}"
    command = ["cvlc", "-I", "dummy", "--no-video", f"--sout={sout}", f"--run-time={seconds:.0f}", url, "vlc://quit"]
    if os.geteuid() == 0:  # VLC refuses to run as root
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/tmp", *command]
    return recorded("VLC", command, folder / "vlc.wav", seconds)


def recorded(player: str, command: list[str], file: Path, seconds: float) -> dict[str, Any]:
    """Run a player that writes a WAV file, and measure that."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + MARGIN_S, check=False)
    sound = decode(file.read_bytes())
    silent_s = longest_silence_s(sound.samples[sound.rate :], sound.rate)  # the first second: a player starts
    return {
        "player": player,
        "played_s": round(sound.duration_s, 2),
        "breaks": int(silent_s > BREAK_S),
        "complaints": done.stderr.strip()[-200:] if player != "VLC" else "",  # it talks of its own interface
    }


def hls_js(url: str, folder: Path, seconds: float) -> dict[str, Any]:
    """hls.js in a headless Chromium."""
    from playwright.sync_api import sync_playwright

    subprocess.run(["npm", "pack", "--silent", HLS_JS], cwd=folder, check=True, capture_output=True)
    subprocess.run(["tar", "xzf", str(next(folder.glob("hls.js-*.tgz")))], cwd=folder, check=True)
    program = next(path for name in CHROMIUM if (path := shutil.which(name)))
    flags = ["--autoplay-policy=no-user-gesture-required", "--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        page = browser.new_context(bypass_csp=True).new_page()
        page.goto(url.rpartition("/")[0] + "/healthz")
        page.add_script_tag(path=str(folder / "package/dist/hls.min.js"))
        found = page.evaluate(PLAY, [url, seconds])
        version = page.evaluate("Hls.version")
        browser.close()
    return {
        "player": f"hls.js {version}",
        "played_s": round(found["played_s"], 2),
        "breaks": found["breaks"] + len(found["errors"]),
        "says": f"{found['levels']} bit rates, date {found['date']}",
        "complaints": ", ".join(found["errors"]),
    }


PLAYERS: dict[str, Callable[[str, Path, float], dict[str, Any]]] = {
    "ffprobe": ffprobe,
    "ffmpeg": ffmpeg,
    "mpv": mpv,
    "cvlc": vlc,
}

if __name__ == "__main__":
    main()
