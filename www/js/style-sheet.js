// Style sheets of modules that are loaded when they are used for the first time.

/** Adds the style sheet `css/NAME.css` to the page, once. @param {string} name */
export function addStyleSheet(name) {
    const { href } = new URL(`../css/${name}.css`, import.meta.url);
    if (document.querySelector(`link[href="${href}"]`) !== null) return;
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = href;
    document.head.append(style);
}
