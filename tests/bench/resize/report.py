"""What was measured: tables of it for people, and figures that the next run can be compared with."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.common import print_table
from tests.bench.resize.contestants import OURS, PILLOW_TUNED, PYVIPS, SHARP_CASCADE, SHARP_NORMAL
from tests.bench.resize.quality import Quality, average, lowest
from tests.bench.resize.rounds import Look, Race
from tests.bench.resize.wanted import WIDTHS

COMPARED = (OURS, SHARP_NORMAL, SHARP_CASCADE, PILLOW_TUNED, PYVIPS)
"""Whose pixels are compared with the reference."""

JPEG, WEBP, BOTH, AVIF = "ours, JPEG", "ours, WebP", "ours, JPEG and WebP", "ours, AVIF"
SHARP_WEBP = "sharp, WebP, per size"

MIDDLE = 1280
"""The width at which encoders and zone plates are looked at."""


@dataclass(frozen=True)
class Measured:
    """All that was.

    Attributes:
        photos: How many there were.
        looks: At each contestant.
        jpeg: Each contestant's race for five JPEGs.
        formats: Ours and sharp's races for other formats.
        scaling_2: How many times as much two processes get done as one.
        qualities: Of the pixels of each photo, by contestant and width.
        zone_psnrs: In dB, of zone plates as PNG and as JPEG, by contestant.
        ssims: What our encoders leave, by format.
    """

    photos: int
    looks: Mapping[str, Look]
    jpeg: Mapping[str, Race]
    formats: Mapping[str, Race]
    scaling_2: float
    qualities: Mapping[tuple[str, int], Sequence[Quality]]
    zone_psnrs: Mapping[str, Sequence[float]]
    ssims: Mapping[str, float]

    def show(self) -> None:
        """Print tables."""
        self._show_methods()
        self._show_formats()
        self._show_quality()

    def figures(self) -> dict[str, float]:
        """Ratios of CPU time and bytes, megabytes, and quality, by name."""
        ours, webp, avif = self.jpeg[OURS], self.formats[WEBP], self.formats[AVIF]
        looks = self.looks
        found = {
            "cpu_vs_sharp": ours.cpu_ratio(self.jpeg[SHARP_NORMAL]),
            "cpu_vs_sharp_cascade": ours.cpu_ratio(self.jpeg[SHARP_CASCADE]),
            "cpu_vs_pillow_tuned": ours.cpu_ratio(self.jpeg[PILLOW_TUNED]),
            "bytes_vs_sharp": ours.bytes / self.jpeg[SHARP_NORMAL].bytes,
            "webp_cpu_vs_sharp": webp.cpu_ratio(self.formats[SHARP_WEBP]),
            "webp_bytes_vs_sharp": webp.bytes / self.formats[SHARP_WEBP].bytes,
            "jpeg_webp_cpu_vs_apart": self._cpu_vs_apart(),
            "avif_cpu_vs_webp": avif.cpu_ratio(webp),
            "avif_bytes_vs_webp": avif.bytes / webp.bytes,
            "scaling_2": self.scaling_2,
            "steady_peak_mb": ours.peak_mb,
            "steady_peak_jpeg_webp_mb": self.formats[BOTH].peak_mb,
            "sharp_steady_peak_mb": self.jpeg[SHARP_NORMAL].peak_mb,
        }
        for prefix, name in ("", OURS), ("sharp_", SHARP_NORMAL):
            landscape_mb, portrait_mb = looks[name].adds_mb
            found |= {f"{prefix}rss_24mp_mb": landscape_mb, f"{prefix}rss_24mp_portrait_mb": portrait_mb}
            found |= {f"{prefix}{what}": value for what, value in self._quality_figures(name).items()}
        return found | {f"encoded_ssim_{format}": ssim for format, ssim in self.ssims.items()}

    def _cpu_vs_apart(self) -> float:
        """What JPEG and WebP cost of one decode and one cascade, for each second that they cost by themselves."""
        both, jpeg, webp = (self.formats[name].rounds for name in (BOTH, JPEG, WEBP))
        return median(b.cpu_s / (j.cpu_s + w.cpu_s) for b, j, w in zip(both, jpeg, webp, strict=True))

    def _quality_figures(self, name: str) -> dict[str, float]:
        means = {width: average(self.qualities[name, width]) for width in self._widths}
        figures: dict[str, float] = {}
        for width, mean in means.items():
            figures |= {f"psnr_db_{width}": mean.psnr_db, f"ssim_{width}": mean.ssim}
        least, worst = lowest(means.values()), self._worst_photo(name)
        return figures | {
            "min_psnr_db": least.psnr_db,
            "min_ssim": least.ssim,
            "worst_photo_psnr_db": worst.psnr_db,
            "worst_photo_ssim": worst.ssim,
            "zone_psnr_db": self.zone_psnrs[name][0],
            "zone_jpeg_psnr_db": self.zone_psnrs[name][1],
        }

    @property
    def _widths(self) -> list[int]:
        """Those to which any photo was made smaller, the largest first."""
        return [width for width in reversed(WIDTHS) if (OURS, width) in self.qualities]

    def _worst_photo(self, name: str) -> Quality:
        return lowest([quality for width in self._widths for quality in self.qualities[name, width]])

    def _show_methods(self) -> None:
        print(f"\nFive JPEGs of a photo, on average; the median round, on {os.cpu_count()} cores. Memory in MB.\n")
        header = [
            "method",
            "CPU ms",
            "of sharp's",
            "kB",
            "24 MP adds",
            "as portrait",
            "steady peak",
            "colours, metadata",
        ]
        rows = [
            [
                name,
                1000 * seen.cpu_s / self.photos,
                f"{seen.cpu_ratio(self.jpeg[SHARP_NORMAL]):.2f}",
                seen.bytes / self.photos / 1000,
                *self.looks[name].adds_mb,
                seen.peak_mb,
                self.looks[name].habits,
            ]
            for name, seen in sorted(self.jpeg.items(), key=lambda item: -item[1].cpu_s)
        ]
        print_table(header, rows)
        print("\nsharp, thumbor and ImageMagick also look for the best Huffman tables, which saves 2 % of a file.")

    def _show_formats(self) -> None:
        print("\nFive sizes in other formats.\n")
        rows = [
            [name, 1000 * seen.cpu_s / self.photos, seen.bytes / self.photos / 1000, seen.peak_mb]
            for name, seen in self.formats.items()
        ]
        print_table(["files", "CPU ms", "kB", "steady peak"], rows)
        ssims = ", ".join(f"{format} {1000 * ssim:.1f}" for format, ssim in self.ssims.items())
        print(f"\nOur files at {MIDDLE} px against the pixels that were encoded, SSIM × 1000: {ssims}.")
        print(f"Two processes of ours do {self.scaling_2:.2f} times what one does, JPEG and WebP.")

    def _show_quality(self) -> None:
        print("\nPixels before encoding against a full decode and a float Lanczos-3, PSNR dB / SSIM × 1000;")
        print(f"zone plates at {MIDDLE} px, PSNR dB.\n")
        rows = []
        for name in self.zone_psnrs:
            means = [_cell(average(self.qualities[name, width])) for width in self._widths]
            rows.append([name, *means, _cell(self._worst_photo(name)), *self.zone_psnrs[name]])
        print_table(["pixels of", *map(str, self._widths), "worst photo", "zone plate", "as JPEG"], rows)


def _cell(found: Quality) -> str:
    return f"{found.psnr_db:.1f}/{1000 * found.ssim:.1f}"
