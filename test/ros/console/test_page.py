"""The page in a real browser, with a real tracker behind it: see, point, correct."""

import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from chromium import browser_context

from etam_ros.drawing.palette import object_colour

PATIENCE_S = 60.0
THING, OTHER = 3, 2  # of the clip: a ball that stays, and a ring
PIXEL = """([x, y]) => {
  const canvas = document.getElementById("picture"), pixels = canvas.getContext("2d");
  return Array.from(pixels.getImageData(Math.round(x), Math.round(y), 1, 1).data).slice(0, 3);
}"""


class Screen:
    """What a person sees of the page, and does to it."""

    def __init__(self, page, camera):
        self.page, self.camera = page, camera
        self.errors = []
        self.fingers = page.context.new_cdp_session(page)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console", lambda line: self.errors.append(line.text) if line.type == "error" else None
        )

    def on_console(self, line):
        if line.type == "error":
            self.errors.append(line.text)

    def open(self, address):
        self.page.goto(address)
        self.wait("document.getElementById('rate').textContent.match(/[1-9]/)")

    def wait(self, condition, *arguments):
        """Wait for an expression; Playwright's own way needs an eval, which the page forbids."""
        end = time.monotonic() + PATIENCE_S
        while not self.page.evaluate(condition, list(arguments)):
            if time.monotonic() > end:
                said = self.page.locator("#answer").inner_text()
                raise AssertionError(
                    f"gave up waiting for {condition} {arguments}; it says: {said}"
                )
            self.page.wait_for_timeout(40)

    def touch(self, kind, *points):
        """Fingers on source pixels of the picture, as the browser gets them from a screen."""
        box = self.page.locator("#picture").bounding_box()
        places = [self.place(point) for point in points]
        touches = [{"x": box["x"] + x, "y": box["y"] + y} for x, y in places]
        self.fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def answer(self, words):
        """Wait until the page says something, by a regular expression."""
        self.wait("([words]) => document.getElementById('answer').textContent.match(words)", words)

    def place(self, point):
        """Where a source pixel is on the canvas element, in CSS pixels."""
        box = self.page.locator("#picture").bounding_box()
        height, width = self.camera.label_image.shape
        scale = min(box["width"] / width, box["height"] / height)
        left = (box["width"] - width * scale) / 2
        top = (box["height"] - height * scale) / 2
        return left + (point[0] + 0.5) * scale, top + (point[1] + 0.5) * scale

    def click(self, point, **more):
        x, y = self.place(point)
        self.page.locator("#picture").click(position={"x": x, "y": y}, **more)

    def colour(self, point):
        """Of the canvas where a source pixel is."""
        ratio = self.page.evaluate("window.devicePixelRatio")
        return np.array(self.page.evaluate(PIXEL, [ratio * each for each in self.place(point)]))

    def shows_camera(self):
        """Whether the picture is that of the camera."""
        image = self.camera.frames[self.camera.index].image
        points = [(float(x), float(y)) for x in range(40, 600, 140) for y in range(40, 440, 100)]
        return all(
            np.abs(self.colour((x, y)) - image[int(y), int(x)]).max() < 70 for x, y in points
        )

    def is_tinted(self, point, object_id):
        """Whether an object's colour lies over a pixel, as the overlay has it."""
        x, y = (round(each) for each in point)
        plain = self.camera.frames[self.camera.index].image[y, x].astype(float)
        tinted = 0.55 * plain + 0.45 * np.array(object_colour(object_id))
        shown = self.colour(point)
        return np.abs(shown - tinted).sum() < np.abs(shown - plain).sum()

    def until(self, condition):
        """Wait for something that Python sees."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end
            self.page.wait_for_timeout(40)

    def rows(self):
        return self.page.locator("#objects .name").all_inner_texts()


@pytest.fixture(scope="module")
def screen(camera, tracker, console, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chromium")
    view = {"width": 1280, "height": 800}
    with browser_context(folder, viewport=view, has_touch=True) as context:
        made = Screen(context.pages[0], camera)
        made.open(console[1])
        yield made
        assert made.errors == []


def tinted_share(screen, object_id, of):
    """Share of some pixels of an object's truth that have a colour over them."""
    rows, columns = np.nonzero(screen.camera.label_image == of)
    picks = np.linspace(0, len(rows) - 1, 25).astype(int)
    points = [(float(columns[each]), float(rows[each])) for each in picks]
    return np.mean([screen.is_tinted(point, object_id) for point in points])


@pytest.fixture(autouse=True)
def _afresh(screen):
    """Whatever the test before left is forgotten."""
    screen.page.keyboard.press("Escape")
    screen.page.keyboard.press("Escape")
    screen.page.locator("#reset").click()
    screen.page.locator("#ask button[value=yes]").click()
    screen.answer("forgot all objects")
    screen.wait("document.querySelectorAll('#objects li').length === 0")


@pytest.fixture
def followed(screen):
    """One object of the clip, clicked on."""
    screen.click(screen.camera.inside(THING))
    screen.answer("click: following object 1")
    screen.wait("document.querySelectorAll('#objects li').length === 1")
    return screen


def test_the_picture_moves(screen):
    for index in range(1, 4):
        screen.camera.index = index
        screen.page.wait_for_timeout(500)
    screen.wait("document.getElementById('late').textContent.match(/ms/)")
    x, y = (320, 240)
    now = screen.camera.frames[3].image[y, x]
    assert np.abs(screen.colour((x, y)) - now).max() < 60


def test_a_click_gives_a_mask_where_the_object_is(followed):
    screen = followed
    assert screen.rows() == ["object 1"]
    screen.wait("document.querySelector('#events li')")
    assert "object 1 added: click at" in screen.page.locator("#events li").first.inner_text()
    screen.until(lambda: tinted_share(screen, 1, of=THING) > 0.6)
    assert not screen.is_tinted((2, 2), 1)
    screen.page.locator("#masks").click()
    assert not screen.is_tinted(screen.camera.inside(THING), 1)
    screen.page.locator("#masks").click()
    assert screen.is_tinted(screen.camera.inside(THING), 1)


def test_corrections_are_answered_and_can_be_undone(followed):
    screen = followed
    inside = screen.camera.inside(THING)
    screen.click((inside[0] + 2, inside[1]))
    screen.answer("click: corrected object 1")
    screen.click((5, 5), button="right")
    screen.answer("background click: corrected object 1")
    screen.page.keyboard.press("u")
    screen.answer("undone: object 1 has its earlier mask again")
    assert screen.rows() == ["object 1"]


def test_a_box_a_name_a_target_and_an_end(screen):
    rows, columns = np.nonzero(screen.camera.label_image == OTHER)
    start = screen.place((columns.min() - 2, rows.min() - 2))
    end = screen.place((columns.max() + 2, rows.max() + 2))
    box = screen.page.locator("#picture").bounding_box()
    screen.page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    screen.page.mouse.down()
    screen.page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=4)
    screen.page.mouse.up()
    screen.answer("box: following object 1")
    screen.wait("document.querySelectorAll('#objects li').length === 1")
    screen.until(lambda: tinted_share(screen, 1, of=OTHER) > 0.5)
    screen.page.locator("#objects .what").click()
    screen.answer("selected object 1")
    screen.wait("document.querySelector('#objects li.target')")
    screen.page.keyboard.press("e")
    screen.page.locator("#said").fill("cup <b>")
    screen.page.keyboard.press("Enter")
    screen.answer("object 1 is called cup <b>")
    screen.wait("document.querySelector('#objects .name').textContent === '1 cup <b>'")
    screen.page.locator("#objects button[aria-label^=Remove]").click()
    screen.answer("removed object 1")
    screen.wait("document.querySelectorAll('#objects li').length === 0")
    screen.until(lambda: not screen.is_tinted(screen.camera.inside(OTHER), 1))


def test_undoing_the_first_click_ends_the_object(screen):
    screen.click(screen.camera.inside(THING))
    screen.answer("click: following object 1")
    screen.page.locator("#undo").click()
    screen.answer("removed object 1")
    screen.page.locator("#undo").click()
    screen.answer("there is nothing to undo")


def test_a_paused_tracker_shows_what_a_click_does(screen):
    screen.page.keyboard.press("p")
    screen.answer("paused: frames are ignored")
    screen.wait("document.getElementById('veil').textContent.includes('paused')")
    screen.click(screen.camera.inside(THING))
    screen.answer("click: following object 1")
    screen.wait("document.querySelectorAll('#objects li').length === 1")
    assert screen.is_tinted(screen.camera.inside(THING), 1)
    screen.page.keyboard.press("p")
    screen.answer("following frames")
    screen.wait("document.getElementById('veil').hidden")


def test_a_keyboard_is_enough(screen):
    screen.page.locator("#picture").focus()
    screen.page.keyboard.press("ArrowRight")
    screen.page.keyboard.press("Control+ArrowUp")
    screen.page.keyboard.press("Enter")
    screen.answer("click: following object 1")
    screen.wait("document.querySelectorAll('#objects li').length === 1")
    screen.page.keyboard.press("n")
    screen.answer("selected object 1")
    screen.page.keyboard.press("x")
    screen.answer("removed object 1")
    screen.page.keyboard.press("b")
    for key in ("ArrowLeft", "ArrowUp") * 4:
        screen.page.keyboard.press(key)
    screen.page.keyboard.press("b")
    screen.answer("box: following object 2")
    screen.page.keyboard.press("h")
    assert screen.page.locator("#help").is_visible()
    screen.page.keyboard.press("Escape")


def test_a_finger_taps_draws_and_presses_long(screen):
    edge = np.nonzero(screen.camera.label_image == THING)[1].max()
    inside = screen.camera.inside(THING)
    screen.page.keyboard.press("d")
    screen.touch("touchStart", inside)
    for share in (0.2, 0.4, 0.6):
        screen.touch("touchMove", (inside[0] + share * (edge - inside[0]), inside[1]))
    screen.touch("touchEnd")
    screen.answer("click: following object 1")
    screen.until(lambda: tinted_share(screen, 1, of=THING) > 0.5)
    screen.page.keyboard.press("1")
    screen.touch("touchStart", inside)
    screen.touch("touchEnd")
    screen.answer("^click: corrected object 1")
    screen.touch("touchStart", (5, 5))
    screen.answer("background click: corrected object 1")  # while the finger still is down
    screen.touch("touchEnd")


def test_a_follower_is_started_and_stopped(screen, start_follower):
    start_follower("-r", "objects:=/tracker/objects")
    screen.wait("!document.getElementById('follow').hidden")
    screen.wait("document.getElementById('follower').textContent === 'Follower: disabled'")
    screen.page.locator("#follow").click()
    screen.answer("^enabled")
    screen.wait("document.getElementById('follow').textContent === 'Stop follower'")
    screen.wait("document.getElementById('follower').textContent.match(/object/)")
    screen.page.keyboard.press("f")
    screen.answer("^disabled")
    screen.wait("document.getElementById('follow').textContent === 'Start follower'")


def test_a_tracker_with_its_own_page_and_the_choice_of_trackers(screen, front):
    """`etam node --web`; and the page of /console when there are two trackers."""
    node, camera = front
    choice = screen.page.locator("#channel")
    screen.wait("document.querySelectorAll('#channel option').length === 2")
    assert choice.input_value() == "/tracker"
    choice.select_option("/front/tracker")
    chosen = Screen(screen.page, camera)
    chosen.until(lambda: chosen.shows_camera() and not screen.shows_camera())
    own = Screen(screen.page.context.new_page(), camera)
    own.open(re.search(r"Open (http://\S+)", node.log)[1])
    assert own.page.locator("#channel").input_value() == "/front/tracker"
    own.click(camera.inside(THING))
    own.answer("click: following object 1")
    own.wait("document.querySelectorAll('#objects li').length === 1")
    chosen.wait("document.querySelectorAll('#objects li').length === 1")
    own.page.close()
    screen.page.keyboard.press("p")
    screen.answer("paused")
    choice.select_option("/tracker")
    screen.until(lambda: screen.shows_camera() and not chosen.shows_camera())
    choice.select_option("/front/tracker")  # shows its last picture, and no newer one comes
    chosen.until(lambda: not screen.shows_camera())
    chosen.click(camera.inside(THING), modifiers=["Shift"])
    chosen.answer("^background click: corrected object 1")
    screen.page.keyboard.press("p")
    choice.select_option("/tracker")
    screen.until(lambda: screen.shows_camera() and not chosen.shows_camera())
    assert own.errors + chosen.errors == []


def test_refusals_are_shown_where_the_operator_looks(screen):
    screen.click((5, 5), modifiers=["Shift"])
    screen.answer("no object is visible that the background click could correct")
    assert screen.page.locator("#answer").get_attribute("class") == "bad"


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off_and_nothing_jumps(screen, width):
    page = screen.page
    page.set_viewport_size({"width": width, "height": 740})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    places = (
        "['stage', 'tools', 'objects', 'events'].map((id) => "
        "document.getElementById(id).getBoundingClientRect().top + scrollY)"
    )
    before = page.evaluate(places)
    screen.click(screen.camera.inside(THING))
    screen.answer("click: following object 1")
    screen.wait("document.querySelectorAll('#objects li').length === 1")
    assert page.evaluate(places) == before
    screen.until(lambda: tinted_share(screen, 1, of=THING) > 0.5)
    small = page.evaluate(
        "[...document.querySelectorAll('button, select, fieldset span')].filter((each) => "
        "each.offsetParent && each.getBoundingClientRect().height < 44)"
        ".map((each) => each.outerHTML)"
    )
    assert small == []


def test_it_comes_back_after_tracker_and_console_were_killed(
    screen, tracker, console, start_tracker, start_console, parameters
):
    tracker.end(signal.SIGKILL)
    screen.wait("document.getElementById('veil').textContent.includes('tracker is gone')")
    again = start_tracker(*parameters)
    again.wait_for_log("activate: active")
    screen.wait("document.getElementById('veil').hidden")
    screen.click(screen.camera.inside(THING))
    screen.answer("click: following object 1")
    process, address = console
    process.end(signal.SIGKILL)
    screen.wait("!document.getElementById('veil').hidden")
    port = re.search(r":(\d+)/", address)[1]
    start_console("-p", f"port:={port}").wait_for_log("Open http://")
    screen.wait("document.getElementById('veil').hidden")
    screen.wait("document.querySelectorAll('#objects li').length === 1")
    screen.errors.clear()  # of connections that could not be made meanwhile
