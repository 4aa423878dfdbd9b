"""Links from a page to a file beside docs/ (a config, a module) become links to a page that shows the file."""

import os.path
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)\)")
LANGUAGE = {".py": "python", ".yaml": "yaml", ".md": "markdown", ".toml": "toml", ".cff": "yaml"}


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each file that a page of docs/ links to outside of it."""
    named = {name for page in Path(config.docs_dir).glob("*.md") for name in OUTSIDE.findall(page.read_text())}
    for name in sorted(named):
        path = ROOT / name
        shown = f"# {name}\n\n```{LANGUAGE.get(path.suffix, '')}\n{path.read_text()}```\n"
        files.append(File.generated(config, f"files/{name}.md", content=shown))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Of a page of docs/, its links to such files."""
    up = os.path.relpath(".", Path(page.file.src_uri).parent)
    return OUTSIDE.sub(lambda found: f"]({up}/files/{found[1]}.md)".replace("](./", "]("), markdown)
