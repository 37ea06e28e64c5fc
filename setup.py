"Hands the facts of settings.ini to setuptools; every field that pyproject.toml calls dynamic is given here."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read(here/"settings.ini", encoding="utf8")
cfg = ini["DEFAULT"]
name, package = cfg["lib_name"], cfg["lib_path"]

STATUS = {"2": "Pre-Alpha", "3": "Alpha", "4": "Beta", "5": "Production/Stable"}
minor = int(cfg["min_python"].split(".")[1])


def lines(key):
    "The requirements under `key`, one a line."
    return cfg[key].split()


extras = {k.removesuffix("_requirements"): lines(k) for k in cfg if k.endswith("_requirements")}
extras["dev"] = [*extras["dev"], *extras["quant"], *extras["docs"], *extras["ray"], *extras["files"]]
readme = here/"README.md"

setup(
    name=name,
    version=cfg["version"],
    description=cfg["description"],
    long_description=readme.read_text(encoding="utf8") if readme.exists() else cfg["description"],
    long_description_content_type="text/markdown",
    author=cfg["author"],
    license_expression=cfg["license"],
    keywords=cfg["keywords"],
    python_requires=f">={cfg['min_python']}",
    classifiers=[
        f"Development Status :: {cfg['status']} - {STATUS[cfg['status']]}",
        "Framework :: Jupyter",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        *(f"Programming Language :: Python :: 3.{i}" for i in range(minor, 14)),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    packages=find_packages(include=[package, f"{package}.*"]),
    include_package_data=False,  # what goes along is said here, for the package and each of its sub-packages
    package_data={"": ["py.typed", "*.pyi", *(f"{o}/{depth}" for o in ("knowledge", "trained") for depth in ("*", "**/*"))]},
    install_requires=lines("requirements"),
    extras_require=extras,
    entry_points={"console_scripts": lines("console_scripts"), "nbdev": [f"{name} = {package}._modidx:d"]},
    zip_safe=False,
)
