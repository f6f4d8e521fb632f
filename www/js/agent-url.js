// URLs of the agent. They are relative to the directory of the page, so that a reverse proxy can serve
// the agent below a path.

const ROOT = new URL("..", import.meta.url);

/** The URL of `path`, such as `api/cameras`, without a leading slash. @param {string} path */
export function agentUrl(path) {
    return new URL(path, ROOT).href;
}

/** The login page, which leads back to this one. */
export function loginUrl() {
    return agentUrl(`login?to=${encodeURIComponent(location.href.slice(ROOT.href.length))}`);
}

/**
 * The URL of the WebSocket `path`.
 * @param {string} path
 * @param {URL | string} [agent] the URL of the agent's page; default: this one
 */
export function socketUrl(path, agent = ROOT) {
    const url = new URL(path, agent);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
}
