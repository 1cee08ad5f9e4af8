"""The built-in listener: what a person sees while a run goes on."""
