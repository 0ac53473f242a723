"""The engine `openai`: a model behind a server with the OpenAI interface, through the client of that name."""
