"""Small networks of families that torchvision does not have, in plain PyTorch: a detector, a segmenting transformer, a text reader, a speech
encoder, an encoder-decoder, super-resolution, keyword spotting.  They have the shape of their families, not anybody's weights or sizes."""
import torch
from torch import nn
from torch.nn import functional as F


def conv(ci, co, k=3, stride=1, groups=1, act=nn.ReLU):
    layers = [nn.Conv2d(ci, co, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(co)]
    return nn.Sequential(*layers, *([act()] if act else []))


# ---- detector: split-and-concatenate stages, two-way pyramid, boxes as distributions over distances -----------------------------------


class Bottleneck(nn.Module):
    def __init__(self, c, add):
        super().__init__()
        self.body, self.add = nn.Sequential(conv(c, c, act=nn.SiLU), conv(c, c, act=nn.SiLU)), add

    def forward(self, x):
        return x + self.body(x) if self.add else self.body(x)


class Stage(nn.Module):
    """Half of the channels goes on through bottlenecks; all that lay between is concatenated."""

    def __init__(self, ci, co, n, add):
        super().__init__()
        self.first, self.last = conv(ci, co, 1, act=nn.SiLU), conv((2 + n) * co // 2, co, 1, act=nn.SiLU)
        self.body = nn.ModuleList(Bottleneck(co // 2, add) for _ in range(n))

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        for b in self.body:
            parts.append(b(parts[-1]))
        return self.last(torch.cat(parts, 1))


class PoolPyramid(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.first, self.last, self.pool = conv(c, c // 2, 1, act=nn.SiLU), conv(2 * c, c, 1, act=nn.SiLU), nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.first(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.last(torch.cat(parts, 1))


class BoxHead(nn.Module):
    """One level: distances to the four sides as distributions over `bins`, and a score a class."""

    def __init__(self, c, inner, classes, bins):
        super().__init__()
        self.box = nn.Sequential(conv(c, 64, act=nn.SiLU), conv(64, 64, act=nn.SiLU), nn.Conv2d(64, 4 * bins, 1))
        self.score = nn.Sequential(conv(c, inner, act=nn.SiLU), conv(inner, inner, act=nn.SiLU), nn.Conv2d(inner, classes, 1))

    def forward(self, x):
        return torch.cat([self.box(x), self.score(x)], 1)


class Detector(nn.Module):
    BINS = 16

    def __init__(self, size, w=(16, 32, 64, 128, 256), classes=20):
        super().__init__()
        self.classes = classes
        self.stem = conv(3, w[0], 3, 2, act=nn.SiLU)
        self.down = nn.ModuleList(conv(a, b, 3, 2, act=nn.SiLU) for a, b in zip(w, w[1:]))
        self.stage = nn.ModuleList(Stage(c, c, n, True) for c, n in zip(w[1:], (1, 2, 2, 1)))
        self.pool = PoolPyramid(w[4])
        self.up4, self.up3 = Stage(w[4] + w[3], w[3], 1, False), Stage(w[3] + w[2], w[2], 1, False)
        self.down3, self.down4 = conv(w[2], w[2], 3, 2, act=nn.SiLU), conv(w[3], w[3], 3, 2, act=nn.SiLU)
        self.out4, self.out5 = Stage(w[2] + w[3], w[3], 1, False), Stage(w[3] + w[4], w[4], 1, False)
        self.head = nn.ModuleList(BoxHead(c, max(80, w[2]), classes, self.BINS) for c in w[2:])
        self.register_buffer("bin", torch.arange(self.BINS, dtype=torch.float32).view(1, self.BINS, 1, 1))
        cells = [(x + 0.5, y + 0.5, s) for s in (8, 16, 32) for y in range(size // s) for x in range(size // s)]
        self.register_buffer("cell", torch.tensor(cells).t()[None])

    def boxes(self, x):
        """[batch, 4 * bins, n] -> centres and sizes in pixels."""
        d = (x.view(-1, 4, self.BINS, x.shape[2]).transpose(1, 2).softmax(1) * self.bin).sum(1)
        low, high = self.cell[:, :2] - d[:, :2], self.cell[:, :2] + d[:, 2:]
        return torch.cat([(low + high) / 2, high - low], 1) * self.cell[:, 2:]

    def forward(self, x):
        x, kept = self.stem(x), []
        for down, stage in zip(self.down, self.stage):
            x = stage(down(x))
            kept.append(x)
        _, p3, p4, p5 = kept
        p5 = self.pool(p5)
        p4 = self.up4(torch.cat([F.interpolate(p5, scale_factor=2.0), p4], 1))
        p3 = self.up3(torch.cat([F.interpolate(p4, scale_factor=2.0), p3], 1))
        p4 = self.out4(torch.cat([self.down3(p3), p4], 1))
        p5 = self.out5(torch.cat([self.down4(p4), p5], 1))
        all_levels = torch.cat([h(p).flatten(2) for h, p in zip(self.head, (p3, p4, p5))], 2)
        box, score = all_levels.split((4 * self.BINS, self.classes), 1)
        return torch.cat([self.boxes(box), score.sigmoid()], 1)


# ---- segmenting transformer: overlapping patches, attention to fewer keys, convolutions inside the feed-forward part ------------------


class ReducedAttention(nn.Module):
    def __init__(self, c, heads, reduce):
        super().__init__()
        self.heads, self.q, self.kv, self.out = heads, nn.Linear(c, c), nn.Linear(c, 2 * c), nn.Linear(c, c)
        self.reduce = nn.Conv2d(c, c, reduce, reduce) if reduce > 1 else None
        self.norm = nn.LayerNorm(c) if reduce > 1 else None

    def forward(self, x, h, w):
        b, n, c = x.shape
        keys = x
        if self.reduce:
            keys = self.norm(self.reduce(x.transpose(1, 2).reshape(b, c, h, w)).flatten(2).transpose(1, 2))
        q = self.q(x).reshape(b, n, self.heads, -1).transpose(1, 2)
        k, v = self.kv(keys).reshape(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, n, c))


class MixedFeedForward(nn.Module):
    def __init__(self, c, inner):
        super().__init__()
        self.first, self.last, self.depth = nn.Linear(c, inner), nn.Linear(inner, c), nn.Conv2d(inner, inner, 3, 1, 1, groups=inner)

    def forward(self, x, h, w):
        x = self.first(x)
        b, n, c = x.shape
        x = self.depth(x.transpose(1, 2).reshape(b, c, h, w)).flatten(2).transpose(1, 2)
        return self.last(F.gelu(x))


class SegmentingBlock(nn.Module):
    def __init__(self, c, heads, reduce):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(c), ReducedAttention(c, heads, reduce)
        self.norm2, self.feed = nn.LayerNorm(c), MixedFeedForward(c, 4 * c)

    def forward(self, x, h, w):
        x = x + self.attention(self.norm1(x), h, w)
        return x + self.feed(self.norm2(x), h, w)


class SegmentingStage(nn.Module):
    def __init__(self, ci, c, k, stride, heads, reduce):
        super().__init__()
        self.patch, self.norm = nn.Conv2d(ci, c, k, stride, k // 2), nn.LayerNorm(c)
        self.blocks, self.last = nn.ModuleList(SegmentingBlock(c, heads, reduce) for _ in range(2)), nn.LayerNorm(c)

    def forward(self, x):
        x = self.patch(x)
        b, c, h, w = x.shape
        x = self.norm(x.flatten(2).transpose(1, 2))
        for block in self.blocks:
            x = block(x, h, w)
        return self.last(x).transpose(1, 2).reshape(b, c, h, w)


class Segmenter(nn.Module):
    WIDTH, CLASSES, INNER = (32, 64, 160, 256), 19, 128

    def __init__(self):
        super().__init__()
        w = self.WIDTH
        ends = ((3, 7, 4), (w[0], 3, 2), (w[1], 3, 2), (w[2], 3, 2))
        self.stages = nn.ModuleList(SegmentingStage(ci, c, k, s, heads, reduce) for (ci, k, s), c, heads, reduce in zip(ends, w, (1, 2, 5, 8), (8, 4, 2, 1)))
        self.project = nn.ModuleList(nn.Linear(c, self.INNER) for c in w)
        self.fuse, self.classify = conv(4 * self.INNER, self.INNER, 1), nn.Conv2d(self.INNER, self.CLASSES, 1)

    def level(self, i, x, size):
        b, _, h, w = x.shape
        x = self.project[i](x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(b, self.INNER, h, w)
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

    def forward(self, x):
        kept = []
        for stage in self.stages:
            x = stage(x)
            kept.append(x)
        size = kept[0].shape[2:]
        return self.classify(self.fuse(torch.cat([self.level(i, k, size) for i, k in reversed(list(enumerate(kept)))], 1)))


# ---- text reader: convolutions, then two-way LSTMs along the line ---------------------------------------------------------------------


class TextReader(nn.Module):
    def __init__(self, symbols=37, hidden=96):
        super().__init__()
        self.picture = nn.Sequential(conv(1, 32), nn.MaxPool2d(2), conv(32, 64), nn.MaxPool2d(2), conv(64, 128), conv(128, 128), nn.MaxPool2d((2, 1)),
                                     conv(128, 192), nn.MaxPool2d((2, 1)), nn.Conv2d(192, 192, (2, 1)), nn.BatchNorm2d(192), nn.ReLU())
        self.line1, self.line2 = nn.LSTM(192, hidden, bidirectional=True), nn.LSTM(hidden, hidden, bidirectional=True)
        self.between, self.last = nn.Linear(2 * hidden, hidden), nn.Linear(2 * hidden, symbols)

    def forward(self, x):
        x = self.picture(x).squeeze(2).permute(2, 0, 1)
        x = self.between(self.line1(x)[0])
        return F.log_softmax(self.last(self.line2(x)[0]), 2)


# ---- speech encoder: attention and convolution in one block ---------------------------------------------------------------------------


def half_feed_forward(c):
    return nn.Sequential(nn.LayerNorm(c), nn.Linear(c, 4 * c), nn.SiLU(), nn.Linear(4 * c, c))


class TimeAttention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads, self.norm, self.qkv, self.out = heads, nn.LayerNorm(c), nn.Linear(c, 3 * c), nn.Linear(c, c)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) / (c // self.heads) ** 0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, c))


class TimeConvolution(nn.Module):
    def __init__(self, c, k):
        super().__init__()
        self.norm, self.gate = nn.LayerNorm(c), nn.Conv1d(c, 2 * c, 1)
        self.depth, self.bn, self.out = nn.Conv1d(c, c, k, padding=k // 2, groups=c, bias=False), nn.BatchNorm1d(c), nn.Conv1d(c, c, 1)

    def forward(self, x):
        x = F.glu(self.gate(self.norm(x).transpose(1, 2)), 1)
        return self.out(F.silu(self.bn(self.depth(x)))).transpose(1, 2)


class SpeechBlock(nn.Module):
    def __init__(self, c, heads=4, k=15):
        super().__init__()
        self.first, self.attention, self.convolution = half_feed_forward(c), TimeAttention(c, heads), TimeConvolution(c, k)
        self.second, self.norm = half_feed_forward(c), nn.LayerNorm(c)

    def forward(self, x):
        x = x + 0.5 * self.first(x)
        x = x + self.attention(x)
        x = x + self.convolution(x)
        return self.norm(x + 0.5 * self.second(x))


class SpeechEncoder(nn.Module):
    """[1, 1, time, bands] -> [1, time / 4, symbols]."""

    def __init__(self, bands=80, c=144, symbols=32):
        super().__init__()
        self.fewer = nn.Sequential(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU())
        self.project, self.last = nn.Linear(32 * bands // 4, c), nn.Linear(c, symbols)
        self.blocks = nn.Sequential(SpeechBlock(c), SpeechBlock(c))

    def forward(self, x):
        x = self.fewer(x)
        b, c, t, f = x.shape
        return self.last(self.blocks(self.project(x.transpose(1, 2).reshape(b, t, c * f))))


# ---- encoder-decoder, super-resolution, keyword spotting ------------------------------------------------------------------------------


class EncoderDecoder(nn.Module):
    WIDTH = (16, 32, 64, 128)

    def __init__(self, classes=4):
        super().__init__()
        w = self.WIDTH
        twice = lambda a, b: nn.Sequential(conv(a, b), conv(b, b))
        self.down = nn.ModuleList(twice(a, b) for a, b in zip((3,) + w, w))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(w, w[1:]))
        self.join = nn.ModuleList(twice(2 * a, a) for a in w[:-1])
        self.last = nn.Conv2d(w[0], classes, 1)

    def forward(self, x):
        kept = []
        for i, down in enumerate(self.down):
            x = down(F.max_pool2d(x, 2) if i else x)
            kept.append(x)
        for i in reversed(range(len(self.up))):
            x = self.join[i](torch.cat([kept[i], self.up[i](x)], 1))
        return self.last(x).softmax(1)


class Enlarger(nn.Module):
    """Twice the height and width: what a convolution says is missing is added to the stretched picture."""

    def __init__(self, c=32, blocks=4, scale=2):
        super().__init__()
        self.scale, self.first = scale, nn.Conv2d(1, c, 5, padding=2)
        self.body = nn.ModuleList(nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.PReLU(c), nn.Conv2d(c, c, 3, padding=1)) for _ in range(blocks))
        self.last, self.shuffle = nn.Conv2d(c, scale * scale, 3, padding=1), nn.PixelShuffle(scale)

    def forward(self, x):
        y = self.first(x)
        for b in self.body:
            y = y + b(y)
        return F.interpolate(x, scale_factor=float(self.scale), mode="bilinear", align_corners=False) + self.shuffle(self.last(y))


class KeywordSpotter(nn.Module):
    def __init__(self, c=64, words=12):
        super().__init__()
        first = nn.Sequential(nn.Conv2d(1, c, (10, 4), 2, (5, 1), bias=False), nn.BatchNorm2d(c), nn.ReLU())
        body = [nn.Sequential(conv(c, c, 3, groups=c), conv(c, c, 1)) for _ in range(4)]
        self.body, self.last = nn.Sequential(first, *body), nn.Linear(c, words)

    def forward(self, x):
        return self.last(F.adaptive_avg_pool2d(self.body(x), 1).flatten(1)).softmax(1)
