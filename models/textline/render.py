"""Lines of text as a camera sees them on meters, type plates and labels: set in system fonts, slanted, blurred, unevenly lit, noisy, dark on
light or light on dark.  The texts are made up: readings, serial numbers, plates, dates, addresses, words.

`train`, `validation` (to develop the network) and `test` have fonts of their own, and the words of the test lines are not in the others'
list; units and headings such as SN are common to all.  Every draw from the generator counts: a change anywhere changes all lines."""
import functools
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONT_ROOT = pathlib.Path("/usr/share/fonts")
SIZE = 48                                     # fonts are drawn at this size, then scaled down

# Debian package: prefixes of its font files.  A family is drawn first, then one of its styles.
FONTS = {
    "train": {
        "fonts-dejavu-core": "DejaVuSans- DejaVuSans. DejaVuSansMono DejaVuSerif- DejaVuSerif.",
        "fonts-dejavu-extra": "DejaVuSansCondensed DejaVuSerifCondensed",
        "fonts-liberation2": "LiberationSans LiberationSerif LiberationMono",
        "fonts-freefont-ttf": "FreeSans FreeSerif FreeMono",
        "fonts-urw-base35": "NimbusSans- NimbusSansNarrow NimbusRoman NimbusMonoPS C059 P052 URWBookman URWGothic",
        "fonts-noto-core": "NotoSans- NotoSerif- NotoSansDisplay NotoSansMono",
        "fonts-open-sans": "OpenSans",
        "fonts-roboto-unhinted": "Roboto- RobotoCondensed",
        "fonts-roboto-slab": "RobotoSlab",
        "fonts-inter": "Inter- InterDisplay",
        "fonts-hack": "Hack",
        "fonts-firacode": "FiraCode",
        "fonts-fantasque-sans": "FantasqueSansMono",
        "fonts-mononoki": "mononoki",
        "fonts-agave": "agave",
        "fonts-anonymous-pro": "AnonymousPro",
        "fonts-courier-prime": "CourierPrime",
        "fonts-go": "Go-",
        "fonts-ocr-a": "OCRA",
        "fonts-ocr-b": "OCRB",
        "fonts-opendin": "OSP-DIN",
        "fonts-osifont": "osifont",
        "fonts-routed-gothic": "routed-gothic",
        "fonts-roadgeek": "RG2014",
        "fonts-crosextra-caladea": "Caladea",
        "fonts-linuxlibertine": "LinLibertine LinBiolinum_R",
        "fonts-comfortaa": "Comfortaa",
        "fonts-quicksand": "Quicksand",
        "fonts-dosis": "Dosis",
        "fonts-cabin": "Cabin",
        "fonts-manrope": "Manrope",
        "fonts-sora": "Sora",
        "fonts-karla": "Karla-",
        "fonts-jura": "Jura",
        "fonts-tuffy": "Tuffy",
        "fonts-tiresias": "tiresias_infofont tiresias_signfont",
        "fonts-sil-andika": "Andika",
        "fonts-yanone-kaffeesatz": "YanoneKaffeesatz",
        "fonts-adf-universalis": "UniversalisADF",
        "fonts-adf-verana": "VeranaSans",
        "fonts-cmu": "cmunrm cmunbx cmunss. cmuntt",
        "fonts-vollkorn": "Vollkorn",
        "fonts-national-park": "NationalPark",
        "fonts-millimetre": "millimetre",
    },
    "validation": {
        "fonts-cantarell": "Cantarell",
        "fonts-oxygen": "Oxygen",
        "fonts-play": "Play",
        "fonts-quattrocento": "Quattrocento",
        "fonts-league-mono": "LeagueMono-",
    },
    "test": {
        "fonts-lato": "Lato",
        "fonts-crosextra-carlito": "Carlito",
        "fonts-inconsolata": "Inconsolata",
        "fonts-paratype": "PTS PTF PTM PTN",
        "fonts-b612": "B612- B612Mono",
        "fonts-clear-sans": "ClearSans",
        "fonts-jetbrains-mono": "JetBrainsMono",
    },
}
# No text is set in these.
UNUSUAL = ("thin", "hairline", "extralight", "ultralight", "black", "heavy", "extrabold", "outline", "smallcaps", "unsl", "wide", "keyboard")

WORDS = """
access accumulator active actual adapter address adjust agitator air alarm alert ambient ampere analog angle approved assembly authorized auto
auxiliary average axis balance barcode basket batch battery bearing before belt blower board boiler bottom box brake branch breaker bridge buffer
building burner bypass cabinet cable calibrated caution capacity carbon carrier cartridge case caution center certified chain chamber change channel
charge check chiller circuit class clean clear clockwise closed coating code coil cold collector color column common compressor condenser conductor
conform connect consumption contact container content control conveyor cooler coolant copper core counter coupling cover crane cubic current cutter
cycle cylinder damper danger data date day deep degree delay delivery demand density depth design detector device diameter diesel differential
digital dimension direct disc discharge display distance district dosing double down drain drawing drive drum dry duct dust duty dynamic earth
east edge efficiency electric element elevator emergency empty enable encoder energy engine entry environment equipment error evaporator event
exhaust exit expansion export external factor factory fan fault feed field filler filter final fine fire first fitting fixed flame flange
flexible float floor flow fluid flux folder force fragile frame freezer frequency fresh front fuel full function furnace fuse gallon gas gate
gauge gear generator glass glycol grade grain grease green grid gross ground group guard handle hazard head heat heater heavy height high hinge
hoist holder hopper horizontal hose hour house humidity hydraulic hydrogen ice idle ignition impact import index indicator inductive
industrial inlet input inside inspect install insulation intake interface interlock internal inverter iron item jacket job joint junction keep key
kilogram kit label ladder lamp large laser latch layer lead leak left length level lever lift light limit line liquid liter load local lock logic loop
lot low lubricant machine made magnetic main maintenance manifold manual manufactured mark mass master material maximum measure mechanical
medium member memory metal meter method middle milling minimum minute mixer mode model module monitor motor mount moving natural net network neutral
night nitrogen noise nominal normal north nozzle number object oil open operator optical orange order origin outdoor outlet output outside oven overload
oxygen pack pallet panel parallel part pause peak pedal percent phase pilot pipe piston plant plastic plate plug pneumatic point pole port position
power press pressure primary printer process product profile program property protection pulse pump purge push quality quantity quick rack radiator
radio rail range rapid rate rated ratio reactor reading ready rear receiver recycle red reduce reference refrigerant regulator relay release
remote remove repair replace reserve reset resistor return reverse right ring risk roller roof room rotor route rubber safety sample scale scan
screen screw seal season second section select sensor separator serial series service session shaft shield shift shutter side signal silicon
silver single size slave slide slot small smoke socket solar solenoid solid source south space spare special speed spindle spray spring stack
stage standard start state static station status steam steel step stock stop storage store strainer street structure suction sulfur supply
support surface surge switch symbol system table tank target technical temperature tension terminal test thermal thickness thread throttle time
timer tool top torque total tower track traffic transfer transformer transmitter transport tray trip truck tube turbine turn type unit unload upper
use vacuum valve vapor vehicle velocity vent ventilation version vertical vessel vibration viscosity voltage volume waiting wall warehouse warning
washer waste water watt wave weight weld west wheel white width winch window wire wood work yard year yellow zero zone
""".split()
UNITS = "kWh MWh m3 m bar mbar Pa kPa V mV kV A mA W kW VA Hz kHz MHz rpm mm cm km kg g t l ml % % % C K s min h ppm dB lx N Nm m/s km/h l/min m3/h kg/h".split()
HEADS = "SN S/N No. Nr. ID P/N LOT REF Type Model Batch Ser. Art. IP Rev. Code".split()
STARTS, VOWELS = "b c d f g h j k l m n p qu r s t v w x y z ch st tr pl".split() + [""], "a e i o u ee oo ai ea y".split()
ENDS = "n r s t l m ll tt ss ff p d k x ng".split()
PLAIN = "ABCDEFGHJKLMNPRSTUVWXYZ"             # codes leave out I, O and Q, as vehicle numbers do


def pick(rng, things):
    return things[rng.integers(len(things))]


def run(rng, chars, low, high):
    return "".join(pick(rng, chars) for _ in range(rng.integers(low, high + 1)))


def digits(rng, low, high):
    return run(rng, "0123456789", low, high)


# ---- grammars -------------------------------------------------------------------------------------------------------------------


def reading(rng, words):
    number = pick(rng, ["", "", "", "", "-", "+"]) + str(rng.integers(10 ** rng.integers(1, 6))) + pick(rng, ["", "." + digits(rng, 1, 3)])
    unit = pick(rng, UNITS)
    return number + pick(rng, ["", " " + unit, " " + unit, unit if len(unit) == 1 else " " + unit])


def counter(rng, words):
    return digits(rng, 5, 10)


def serial(rng, words):
    groups = [(lambda: run(rng, "0123456789" + PLAIN, 1, 5)), (lambda: digits(rng, 2, 6)), (lambda: run(rng, PLAIN, 1, 3) + digits(rng, 1, 5))]
    body = pick(rng, ["-", "-", ".", "/", "", " "]).join(pick(rng, groups)() for _ in range(rng.integers(1, 4)))
    return pick(rng, ["", "", pick(rng, HEADS) + pick(rng, [" ", ": ", ":"])]) + body


def plate(rng, words):
    a, d = lambda low, high: run(rng, PLAIN, low, high), lambda low, high: digits(rng, low, high)
    return pick(rng, [a(1, 3) + "-" + a(1, 2) + " " + d(1, 4), a(2, 2) + d(2, 2) + " " + a(3, 3), a(2, 3) + " " + d(3, 4),
                      d(1, 4) + " " + a(2, 3) + " " + d(2, 2), a(2, 2) + "-" + d(3, 3) + "-" + a(2, 2)])


def date(rng, words):
    y, m, d = "%02d" % rng.integers(15, 36), "%02d" % rng.integers(1, 13), "%02d" % rng.integers(1, 32)
    time = "%02d:%02d" % (rng.integers(24), rng.integers(60))
    return pick(rng, ["20%s-%s-%s" % (y, m, d), "%s.%s.20%s" % (d, m, y), "%s/%s/%s" % (d, m, y), time, time + ":%02d" % rng.integers(60),
                      pick(rng, ["EXP", "MFG", "Use by", "Date:"]) + " %s/%s" % (m, y), "%s.%s. %s" % (d, m, time)])


def address(rng, words):
    return pick(rng, [".".join(str(rng.integers(256)) for _ in range(4)), "v%d.%d.%d" % tuple(rng.integers(0, 20, 3)),
                      ":".join(run(rng, "0123456789ABCDEF", 2, 2) for _ in range(rng.integers(3, 6)))])


def case(rng, word):
    return pick(rng, [word, word.capitalize(), word.capitalize(), word.upper()])


def word(rng, words):
    """A word; in training as often one made of syllables, so that the network learns letters rather than the list."""
    if words is WORDS_OF["test"] or rng.random() < 0.5:
        return pick(rng, words)
    return "".join(syllable(rng) for _ in range(rng.integers(1, 5)))


def syllable(rng):
    return pick(rng, STARTS) + pick(rng, VOWELS) + pick(rng, ["", "", "", pick(rng, ENDS)])


def label(rng, words):
    kind = rng.integers(5)
    first = word(rng, words)
    if kind == 2:
        two = case(rng, first + " " + word(rng, words))
        return two.title() if two[0].isupper() and two[1].islower() and rng.random() < 0.5 else two
    first = case(rng, first)
    if kind < 2:
        return first
    if kind == 3:
        return first + pick(rng, [": ", " ", ":"]) + pick(rng, [digits(rng, 1, 4), reading(rng, words)])
    return first + " " + pick(rng, [pick(rng, PLAIN), digits(rng, 1, 2), digits(rng, 1, 2) + pick(rng, PLAIN), pick(rng, PLAIN) + digits(rng, 1, 3)])


GRAMMARS = (reading, reading, counter, serial, serial, plate, date, address, label, label, label, label)
WORDS_OF = {"train": [w for i, w in enumerate(sorted(set(WORDS))) if i % 5], "test": sorted(set(WORDS))[::5]}
WORDS_OF["validation"] = WORDS_OF["train"]


def text(rng, side):
    while True:
        line = pick(rng, GRAMMARS)(rng, WORDS_OF[side])
        if len(line) <= 20:
            return line


# ---- fonts ------------------------------------------------------------------------------------------------------------------------


@functools.lru_cache(None)
def families(side):
    """Font files by family, [[path]]; a family that is not installed is an error that names its package."""
    files = sorted(p for p in FONT_ROOT.rglob("*") if p.suffix in (".ttf", ".otf"))
    found = []
    for package, prefixes in FONTS[side].items():
        for prefix in prefixes.split():
            styles = {p.name: str(p) for p in files if p.name.replace(" ", "").startswith(prefix)}
            styles = [styles[n] for n in sorted(styles) if not any(u in n.lower() for u in UNUSUAL)]
            if not styles:
                raise SystemExit("no font %s*: apt-get install %s" % (prefix, package))
            found.append(styles)
    return found


@functools.lru_cache(None)
def load(path):
    return ImageFont.truetype(path, SIZE)


@functools.lru_cache(None)
def advance(path, character):
    return load(path).getlength(character)


@functools.lru_cache(None)
def capital(path):
    """Top and bottom of a capital."""
    return load(path).getbbox("H")[1::2]


def choose_font(rng, side):
    return pick(rng, pick(rng, families(side)))


# ---- pictures ---------------------------------------------------------------------------------------------------------------------


def draw(line, path, gap):
    """The line in white on black, letters `gap` further apart than usual, and the box (x0, y0, x1, y1) that a person would cut out: as
    high as a capital or higher."""
    steps = [advance(path, c) + gap for c in line]
    image, pad = Image.new("L", (int(sum(steps)) + 3 * SIZE, 4 * SIZE), 0), SIZE
    pen, x = ImageDraw.Draw(image), float(pad)
    for piece, step in zip(line, steps) if gap else [(line, 0)]:
        pen.text((x, pad), piece, fill=255, font=load(path))
        x += step
    ink, (top, bottom) = image.getbbox(), capital(path)
    return image, (ink[0], min(ink[1], top + pad), ink[2], max(ink[3], bottom + pad))


def cut_out(rng, image, box):
    """The box with margins, seen a little from the side, at a camera's size."""
    x0, y0, x1, y1 = box
    tall = y1 - y0
    top, bottom = rng.uniform(0.04, 0.3, 2) * tall
    left, right = rng.uniform(0.05, 0.6, 2) * tall
    corners = np.array([[x0 - left, y0 - top], [x0 - left, y1 + bottom], [x1 + right, y1 + bottom], [x1 + right, y0 - top]])
    middle = corners.mean(0)
    angle, slant = np.radians(rng.uniform(-1.5, 1.5)) * min(1, 8 * tall / (x1 - x0)), rng.uniform(-0.12, 0.12)
    turned = (corners - middle) @ np.array([[np.cos(angle), np.sin(angle)], [slant - np.sin(angle), np.cos(angle)]])
    turned += middle + rng.uniform(-0.03, 0.03, (4, 2)) * tall
    high = rng.integers(24, 49)
    size = (corners[2] - corners[0])
    wide = max(8, round(high * size[0] / size[1] * rng.uniform(0.8, 1.15)))
    big = image.transform((2 * wide, 2 * high), Image.QUAD, tuple(turned.ravel()), Image.BILINEAR)
    return big.resize((wide, high), Image.BOX)


def photograph(rng, mask):
    """Ink and paper, light, blur and noise."""
    if rng.random() < 0.7:
        mask = mask.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.9) * mask.height / 32))
    m = (np.asarray(mask, np.float32) / 255) ** np.exp(rng.uniform(-0.5, 0.5))           # thicker or thinner strokes
    h, w = m.shape
    paper, ink = rng.uniform(0.55, 1), rng.uniform(0, 0.25)
    if rng.random() < 0.35:
        paper, ink = ink, paper
    y, x = np.arange(h, dtype=np.float32)[:, None], np.arange(w, dtype=np.float32)
    light = 1 + rng.uniform(-0.25, 0.25) * (x / w - 0.5) + rng.uniform(-0.25, 0.25) * (y / h - 0.5)
    if rng.random() < 0.15:                                            # the edge of a shadow
        light *= 1 - rng.uniform(0.1, 0.35) * (x + rng.uniform(-1, 1) * y > rng.uniform(0, w))
    stains = Image.fromarray(rng.normal(0, 1, (3, 2 + w // 16)).astype(np.float32)).resize((w, h), Image.BICUBIC)
    stains = np.asarray(stains) * rng.uniform(0, 0.06)
    image = (paper + (ink - paper) * m + stains) * light + rng.standard_normal(m.shape, np.float32) * rng.uniform(0, 0.05)
    return Image.fromarray(np.clip(np.rint(image * 64) * 4, 0, 255).astype(np.uint8))


def decorate(rng, image, box):
    """Now and then a rule below or above the line, the frame of a label, or a neighbour's edge at the ends."""
    pen, (x0, y0, x1, y1) = ImageDraw.Draw(image), box
    tall = y1 - y0
    thick = int(rng.integers(2, 5))
    for y in (y0 - rng.uniform(0.18, 0.35) * tall, y1 + rng.uniform(0.15, 0.35) * tall):
        if rng.random() < 0.08:
            pen.line([(0, y), (image.width, y)], fill=255, width=thick)
    for x in (x0 - rng.uniform(0.3, 0.6) * tall, x1 + rng.uniform(0.3, 0.6) * tall):
        if rng.random() < 0.06:
            pen.line([(x, 0), (x, image.height)], fill=255, width=thick)


def picture(rng, line, font):
    gap = rng.uniform(1, 6) if rng.random() < 0.3 else 0
    image, box = draw(line, font, gap)
    decorate(rng, image, box)
    return photograph(rng, cut_out(rng, image, box))


def sample(rng, side):
    """One line: the picture (gray, of any size) and its text."""
    while True:
        line = text(rng, side)
        shot = picture(rng, line, choose_font(rng, side))
        if shot.width / shot.height < 10:                              # longer ones would be squeezed beyond reading
            return shot, line


if __name__ == "__main__":                                            # the font packages, for apt-get
    print(" ".join(package for side in FONTS.values() for package in side))
