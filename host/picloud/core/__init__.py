"""Ground floor: what every part may use, and what uses none of them."""
