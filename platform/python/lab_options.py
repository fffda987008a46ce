"""The spawn form of the RSP, its validation, and what a lab is told about itself.

There is one environment here, not many images: every image leads to the same lab, which says which one was asked for.
"""

from hashlib import sha256

REPOSITORY = "registry.example.org/lsst/sciplat-lab"
# class -> tag: what the image classes stand for on this platform
CLASSES = {
    "recommended": "recommended",
    "latest-release": "r29_2_0",
    "latest-weekly": "w_2026_46",
    "latest-daily": "d_2026_11_20",
}
TAGS = [*CLASSES.values(), "w_2026_45", "w_2026_44", "d_2026_11_19"]
# size -> (CPU cores, bytes of memory) of the limits a real lab would have
SIZES = {
    "Small": (1.0, 4 * 2**30),
    "Medium": (2.0, 8 * 2**30),
    "Large": (4.0, 16 * 2**30),
}


def reference_of(tag):
    return f"{REPOSITORY}:{tag}"


def options_form(spawner):
    def radio(name, values):
        return "".join(
            f'<label><input type="radio" name="{name}" value="{value}"{" checked" if index == 0 else ""}> '
            f"{value}</label><br>"
            for index, value in enumerate(values)
        )

    return (
        f"<h4>Image</h4>{radio('image_list', map(reference_of, TAGS))}"
        f"<h4>Options</h4>{radio('size', SIZES)}"
        '<label><input type="checkbox" name="enable_debug" value="true"> Enable debug logs</label>'
    )


def parse_options(formdata, spawner=None):
    """Read the form as Nublado's controller does; a ValueError becomes the hub's error page."""
    one = {name: values[0] for name, values in formdata.items() if values and values[0]}
    given = [name for name in ("image_class", "image_tag", "image_list") if name in one]
    if len(given) != 1:
        raise ValueError("exactly one of image_class, image_tag, image_list is needed")
    kind = given[0]
    value = one[kind]
    if kind == "image_class":
        if value not in CLASSES:
            raise ValueError(f"unknown image class {value!r}; there are {', '.join(CLASSES)}")
        tag = CLASSES[value]
    elif kind == "image_tag":
        tag = value
    else:
        # A reference may carry a digest behind its tag.
        repository, _, tag = value.partition("@")[0].rpartition(":")
        if repository != REPOSITORY:
            raise ValueError(f"unknown image {value!r}; they are all {REPOSITORY}:<tag>")
    if tag not in TAGS:
        raise ValueError(f"unknown image tag {tag!r}; there are {', '.join(TAGS)}")
    size = one.get("size", "Small").capitalize()
    if size not in SIZES:
        raise ValueError(f"unknown size {one['size']!r}; there are {', '.join(SIZES)}")
    return {"tag": tag, "size": size, "enable_debug": one.get("enable_debug", "").lower() == "true"}


def lab_environment(options, origin):
    """The variables by which a Nublado lab knows its image and size."""
    reference = reference_of(options["tag"])
    digest = f"sha256:{sha256(reference.encode()).hexdigest()}"
    cpu, memory = SIZES[options["size"]]
    return {
        "JUPYTER_IMAGE": f"{reference}@{digest}",
        "JUPYTER_IMAGE_SPEC": f"{reference}@{digest}",
        "IMAGE_DESCRIPTION": f"Local image ({options['tag']})",
        "IMAGE_DIGEST": digest,
        "CONTAINER_SIZE": f"{options['size']} ({cpu} CPU, {memory // 2**30}Gi RAM)",
        "CPU_LIMIT": str(cpu),
        "MEM_LIMIT": str(memory),
        "EXTERNAL_INSTANCE_URL": origin,
        "REPERTOIRE_BASE_URL": f"{origin}/repertoire",
        **({"DEBUG": "1"} if options["enable_debug"] else {}),
    }
