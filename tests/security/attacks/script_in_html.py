"""Display HTML with a script."""

from IPython.display import HTML, display

display(HTML('<script>document.title="owned"</script>'))
