"A private JupyterLab or Voilà, and a Chromium that looks at it."
import json, os, shutil, socket, subprocess, sys, time, urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SETTINGS = {"@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},       # or cells out of sight are not in the page
            "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}


def write_notebook(path, *cells):
    "A notebook of code cells."
    code = [dict(cell_type="code", id=f"c{i}", source=s, metadata={}, outputs=[], execution_count=None) for i, s in enumerate(cells)]
    kernel = dict(kernelspec=dict(display_name="python3", language="python", name="python3"))
    path.write_text(json.dumps(dict(cells=code, metadata=kernel, nbformat=4, nbformat_minor=5)), encoding="utf8")


def trust(home, path):
    "Sign a notebook, as somebody does who ran it before."
    import nbformat
    from nbformat.sign import NotebookNotary
    (home/"data").mkdir(parents=True, exist_ok=True)
    NotebookNotary(data_dir=str(home/"data")).sign(nbformat.read(path, 4))


def environment(home, theme):
    "Variables that keep a server's and a kernel's files in `home`."
    for name, value in {**SETTINGS, "@jupyterlab/apputils-extension/themes": {"theme": theme}}.items():
        file = home/"settings"/f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    own = dict(JUPYTER_CONFIG_DIR="config", JUPYTER_RUNTIME_DIR="runtime", JUPYTER_DATA_DIR="data", IPYTHONDIR="ipython",
               JUPYTERLAB_SETTINGS_DIR="settings", JUPYTERLAB_WORKSPACES_DIR="workspaces")
    return {**os.environ, **{k: str(home/v) for k, v in own.items()}, "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1", "JUPYTER_PREFER_ENV_PATH": "1"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def served(home, folder, *command, theme="JupyterLab Light"):
    "Run a Jupyter server over `folder`; gives its address."
    port, log = free_port(), home/"server.log"
    home.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as out:
        server = subprocess.Popen([sys.executable, "-m", *command, f"--port={port}"], cwd=folder, env=environment(home, theme), stdout=out, stderr=out)
    try:
        for _ in range(240):
            if server.poll() is not None: raise RuntimeError(f"the server ended: {log.read_text()[-2000:]}")
            try: urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status" if "jupyterlab" in command else f"http://127.0.0.1:{port}/", timeout=60); break
            except OSError: time.sleep(.5)
        else: raise RuntimeError(f"the server did not come up: {log.read_text()[-2000:]}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try: server.wait(15)
        except subprocess.TimeoutExpired: server.kill(); server.wait()


def lab(home, folder, theme="JupyterLab Light"):
    "JupyterLab, without a password, on this machine only."
    return served(home, folder, "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password=",
                  "--expose-app-in-browser", "--ServerApp.disable_check_xsrf=True", "--ServerApp.terminals_enabled=False", theme=theme)


def voila(home, notebook):
    "Voilà over one notebook."
    return served(home, notebook.parent, "voila", str(notebook), "--no-browser", "--Voila.ip=127.0.0.1", "--show_tracebacks=True")


@contextmanager
def chromium():
    "A headless Chromium."
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"])
        try: yield browser
        finally: browser.close()


READY = """() => {
  const context = window.jupyterapp?.shell.currentWidget?.sessionContext, kernel = context?.session?.kernel;
  return !!kernel && context.isReady && kernel.connectionStatus === "connected" && kernel.status === "idle" }"""


def open_and_run(page, address, name):
    "Open a notebook in JupyterLab and run all of it."
    page.goto(f"{address}/doc/tree/{name}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
    page.wait_for_function(READY, timeout=90_000)
    ran = page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    errors = page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error'], .jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
    assert ran, f"the notebook did not run to its end: {errors}"
