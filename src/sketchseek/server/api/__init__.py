"""What a request may contain and what a response contains, as in the OpenAPI schema."""
