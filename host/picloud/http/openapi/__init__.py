"""The OpenAPI document, generated from the endpoint declarations."""
