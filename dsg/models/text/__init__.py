"""Models that are told a text: prompts, tokenizers and text encoders, and the condition that they make."""

from dsg.models.text.condition import TextCondition
from dsg.models.text.encoder import Encoded, TextEncoder
from dsg.models.text.encoding import TextEncoding
from dsg.models.text.model import TextModel
from dsg.models.text.prompts import OPTIONS, Prompts
from dsg.models.text.tokenizer import Tokenizer

__all__ = ["OPTIONS", "Encoded", "Prompts", "TextCondition", "TextEncoder", "TextEncoding", "TextModel", "Tokenizer"]
