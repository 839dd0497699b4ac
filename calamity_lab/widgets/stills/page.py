"""placeholder"""
from typing import Any
def still(face: str, token: str, sight: Any) -> str:
    return f'<div class="calamity-still" data-calamity-still="{token}">still</div>'
