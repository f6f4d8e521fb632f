// Addresses of the agent. They begin where the page itself lies, so that a reverse proxy may show the agent
// below a path of its own.

const ROOT = new URL("..", import.meta.url);

/** The address of `path`, such as `api/cameras`, which does not begin with a slash. */
export function agentUrl(path) {
    return new URL(path, ROOT).href;
}

/**
 * The address of the WebSocket `path`.
 * @param {URL | string} [agent] the address of the agent's page, if it is not this one
 */
export function socketUrl(path, agent = ROOT) {
    const url = new URL(path, agent);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
}
