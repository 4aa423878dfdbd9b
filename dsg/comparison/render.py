"""The laid-out table as Markdown, LaTeX (booktabs) and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dsg.comparison.layout import Entry, Section

LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
         "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "†": r"$^\dagger$", "‡": r"$^\ddagger$", "§": r"$^\S$",
         "→": r"$\rightarrow$", "|": "$|$", "↑": r"$\uparrow$",
         "↓": r"$\downarrow$", "−": "$-$", "–": "--", "±": r"$\pm$", "“": "``", "”": "''",
         "≤": r"$\leq$", "γ": r"$\gamma$", "‖": r"$\|$",
         "ζ": r"$\zeta$", "η": r"$\eta$", "σ": r"$\sigma$", "≥": r"$\geq$", "*": "$^*$"}  # fmt: skip


def markdown(sections: Sequence[Section], legend: str) -> str:
    """GitHub's tables, a heading each."""
    parts = []
    for section in sections:
        head = [
            f"## {section.title}",
            "",
            _bar([_unbarred(n) for n in section.header]),
            _bar(["---"] * len(section.header)),
        ]
        parts.append("\n".join([*head, *(_bar([_in_markdown(e) for e in line]) for line in section.lines)]))
    return "\n\n".join([*parts, legend]) + "\n"


def latex(sections: Sequence[Section], legend: str) -> str:
    """A booktabs tabular a section, to be \\input; the legend is a comment's worth of caption below."""
    parts = ["% needs \\usepackage{booktabs}"]
    for section in sections:
        columns = "ll" + "r" * (len(section.header) - 2)
        lines = [_row([_escape(name) for name in section.header]), "\\midrule"]
        lines += [_row([_in_latex(e) for e in line]) for line in section.lines]
        body = "\n".join([f"\\begin{{tabular}}{{{columns}}}", "\\toprule", *lines, "\\bottomrule", "\\end{tabular}"])
        parts.append(f"% {section.title}\n{body}")
    return "\n\n".join([*parts, _escape(legend)]) + "\n"


def show(sections: Sequence[Section], legend: str, console: Console) -> None:
    """Print every section as a table."""
    for section in sections:
        shown = Table(title=section.title, title_justify="left")
        for name in section.header:
            shown.add_column(escape(name), overflow="fold", no_wrap=name == "method")
        for line in section.lines:
            shown.add_row(*(f"[bold]{escape(e.text)}[/bold]" if e.best else escape(_marked(e)) for e in line))
        console.print(shown)
    console.print(legend)


def _marked(entry: Entry) -> str:
    """The mark stands behind the mean, before its interval."""
    mean, space, bounds = entry.text.partition(" ")
    return f"{mean}{entry.mark}{space}{bounds}"


def _in_markdown(entry: Entry) -> str:
    text = _unbarred(_marked(entry)).replace("*", "\\*").replace("_", "\\_")
    return f"**{text}**" if entry.best else text


def _unbarred(text: str) -> str:
    return text.replace("|", "\\|")


def _in_latex(entry: Entry) -> str:
    text = _escape(_marked(entry))
    return f"\\textbf{{{text}}}" if entry.best else text


def _escape(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"
