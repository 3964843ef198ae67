"""The bodies of requests and answers, and the OpenAPI document of both."""
