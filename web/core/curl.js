// Requests as a shell takes them.
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`);

const LINE = 70;

// $TOKEN and $GATEWAY stay variables, so that what is copied has no secret in it. Any other $ is a text's own, and must not
// run what somebody else called a path.
const withVariables = (text) => (/\$(TOKEN|GATEWAY)/.test(text) ? `"${text.replace(/["\\`]|\$(?!(TOKEN|GATEWAY)\b)/g, "\\$&")}"` : quoted(text));

// headers: [[name, value]]
export function curlOf(method, url, { headers = [], body } = {}) {
    const parts = [method === "GET" ? "curl" : `curl -X ${method}`];
    for (const [name, value] of headers) parts.push(`-H ${withVariables(`${name}: ${value}`)}`);
    if (body !== undefined) parts.push(`--data-binary ${quoted(body)}`);
    parts.push(withVariables(url));
    return parts.join(" ").length <= LINE ? parts.join(" ") : parts.join(" \\\n  ");
}
