"""Install a handler that swallows all exceptions of later cells."""

get_ipython().set_custom_exc((Exception,), lambda *a, **k: None)
