// The page's texts in English and Traditional Chinese. Both tables have the same keys.

const ENGLISH = {
    "page.title": "Camera wall",
    "page.noCameras": "No cameras yet",
    "page.noCamerasHow": "Add them to cameras.toml and reload the agent.",
    "page.waiting": "Asking the agent for its cameras",
    "wall.label": "Camera pictures",
    "tools.label": "Wall controls",
    "tools.previous": "Previous page (Page Up)",
    "tools.next": "Next page (Page Down)",
    "tools.fullScreen": "Full screen (F)",
    "tools.help": "Help (?)",
    "tools.back": "All cameras (Esc)",
    "tools.page": "{page} / {pages}",
    "tools.info": "Information on the camera (I)",
    "tools.status": "All cameras as a table",
    "summary.silent": "Agent does not answer",
    "summary.live": "{live} of {all} live",
    "tools.rotating": "Stop turning pages (R)",
    "tools.still": "Turn pages automatically (R)",
    "layout.title": "Layout",
    "layout.auto": "Auto",
    "layout.shown": "{layout} – Layout (L)",
    "rotate.label": "Turn pages",
    "rotate.never": "never",
    "rotate.every": "every {seconds} s",
    "activity.label": "Moving mark on live pictures",
    "transport.label": "Transport",
    "retry.in": "Next attempt in {time}",
    "retry.now": "Trying now",
    "retry.attempt": " (no. {attempt})",
    "retry.reload": ", or after a reload",
    "notice.mjpegPanels": "Motion JPEG shows at most four panels. Press M for the WebSocket.",
    "notice.missing": "Not in cameras.toml: {cameras}",
    "notice.root": "The agent runs as root. Start it with --user cctv-agent.",
    "notice.unknownWall": "cameras.toml has no wall named {wall}; this is the one without a name.",
    "help.panels": "Layout by its number of panels: {numbers}; 0: automatic",
    "help.layouts": "Choose a layout",
    "help.rotate": "Turn pages automatically, or stop",
    "help.enlarge": "Enlarge one camera, and back (or double click, or tap)",
    "state.live": "Live",
    "state.connecting": "Connecting",
    "state.stalled": "Stalled",
    "state.offline": "Offline",
    "state.denied": "Login refused",
    "state.stale": "No new picture",
    "state.silent": "Agent does not answer",
    "state.resting": "Not open",
    "profile.main": "Main:",
    "profile.small": "Small:",
    "profile.viewers": "({viewers} watching)",
    "banner.notLive": "NOT LIVE",
    "banner.connecting": "CONNECTING",
    "banner.summary": "{problem}, {age}",
    "problem.connecting": "Connecting",
    "problem.stalled": "Camera stalled",
    "problem.offline": "Camera offline",
    "problem.denied": "Login refused",
    "problem.stale": "No new picture",
    "problem.silent": "Agent does not answer",
    "reason.connecting": "Waiting for the first picture.",
    "reason.stalled": "The camera stopped sending. The agent is reconnecting.",
    "reason.offline": "The camera cannot be reached. The agent keeps trying.",
    "reason.denied": "The camera refused the login. Check user name and password.",
    "reason.stale": "No new pictures of this camera arrive.",
    "reason.silent": "This page keeps trying to reach it.",
    "age.none": "no picture yet",
    "age.last": "last picture {age} ago",
    "age.old": "{age} old",
    "age.seconds": "{s} s",
    "age.minutes": "{m} min {s} s",
    "age.hours": "{h} h {m} min",
    "age.days": "{d} d {h} h",
    "facts.fps": "{fps} fps",
    "facts.asJpeg": "{codec} as JPEG",
    "facts.undecodable": "JPEG, as this browser cannot decode its {codec}",
    "tile.picture": "Picture of {name}",
    "transport.socket": "WebSocket",
    "transport.mjpeg": "Motion JPEG",
    "info.title": "Information",
    "info.close": "Close (I)",
    "info.stream": "Camera sends",
    "info.note": "Note",
    "info.streams": "Streams",
    "info.shown": "This page draws",
    "info.age": "Picture's age",
    "info.since": "Since",
    "info.sinceFor": "{state} for {time}",
    "info.viewers": "Viewers",
    "info.reconnects": "Reconnects",
    "info.stalls": "stalls: {stalls}",
    "info.reception": "Reception",
    "info.lost": "{lost} of {packets} packets lost · damaged frames: {damaged}",
    "info.jitter": "jitter {ms} ms",
    "info.clock": "Camera's clock (not used)",
    "info.error": "Last error",
    "info.worker": "Worker process",
    "info.address": "Address",
    "info.ages": "Age of the picture",
    "info.minutes": "5 min ago",
    "info.now": "now",
    "info.plot": "Last {minutes} min: live {share}, oldest live picture {oldest}",
    "info.stateLog": "State changes seen by this page",
    "info.snapshot": "Save picture (S)",
    "snapshot.saved": "Saved: {file}",
    "snapshot.notLive": "Not saved: {name} is not live ({state}).",
    "snapshot.failed": "Not saved: the agent gave no picture of {name}.",
    "view.foreign": "{agent} does not answer this page; pages of other origins must be listed in embed in its cameras.toml",
    "notice.dismiss": "Dismiss",
    "notice.agent": "The agent says: {text}",
    "help.title": "Keys",
    "help.close": "Close",
    "help.arrows": "Move between cameras, and pages at the edge",
    "help.pages": "Previous, next page",
    "help.escape": "Back to all cameras",
    "help.fullScreen": "Full screen",
    "help.transport": "WebSocket or Motion JPEG",
    "help.info": "Information on the camera",
    "help.snapshot": "Save the picture as a file",
    "help.help": "This help",
    "help.truth": "Only a bright picture is live. A grey picture under a banner is old; the banner says how old it is and why.",
    "key.enter": "Enter",
    "key.escape": "Esc",
    "key.pageUp": "Page Up",
    "key.pageDown": "Page Down",
};

const TRADITIONAL_CHINESE = {
    "page.title": "監視牆",
    "page.noCameras": "尚無攝影機",
    "page.noCamerasHow": "請在 cameras.toml 中設定攝影機，再讓代理程式重新載入。",
    "page.waiting": "正在向代理程式查詢攝影機",
    "wall.label": "攝影機畫面",
    "tools.label": "監視牆控制",
    "tools.previous": "上一頁（Page Up）",
    "tools.next": "下一頁（Page Down）",
    "tools.fullScreen": "全螢幕（F）",
    "tools.help": "說明（?）",
    "tools.back": "所有攝影機（Esc）",
    "tools.page": "{page} / {pages}",
    "tools.info": "攝影機資訊（I）",
    "tools.status": "以表格列出所有攝影機",
    "summary.silent": "代理程式沒有回應",
    "summary.live": "即時 {live} / {all}",
    "tools.rotating": "停止自動換頁（R）",
    "tools.still": "自動換頁（R）",
    "layout.title": "版面",
    "layout.auto": "自動",
    "layout.shown": "{layout} – 版面（L）",
    "rotate.label": "自動換頁",
    "rotate.never": "不換頁",
    "rotate.every": "每 {seconds} 秒",
    "activity.label": "即時畫面顯示移動標記",
    "transport.label": "傳輸方式",
    "retry.in": "{time}後再試",
    "retry.now": "正在重試",
    "retry.attempt": "（第 {attempt} 次）",
    "retry.reload": "，或於重新載入後",
    "notice.mjpegPanels": "Motion JPEG 最多顯示四個畫面。按 M 改用 WebSocket。",
    "notice.missing": "cameras.toml 中沒有：{cameras}",
    "notice.root": "代理程式以 root 執行。請以 --user cctv-agent 啟動。",
    "notice.unknownWall": "cameras.toml 中沒有名為 {wall} 的監視牆，改為顯示未命名的監視牆。",
    "help.panels": "以畫面數選擇版面：{numbers}；0 為自動",
    "help.layouts": "選擇版面",
    "help.rotate": "自動換頁，或停止",
    "help.enlarge": "放大單一攝影機，再按還原（或按兩下、輕觸）",
    "state.live": "即時",
    "state.connecting": "連線中",
    "state.stalled": "停滯",
    "state.offline": "離線",
    "state.denied": "登入被拒",
    "state.stale": "沒有新畫面",
    "state.silent": "代理程式沒有回應",
    "state.resting": "未開啟",
    "profile.main": "主串流",
    "profile.small": "子串流",
    "profile.viewers": "（{viewers} 人觀看）",
    "banner.notLive": "非即時畫面",
    "banner.connecting": "連線中",
    "banner.summary": "{problem}，{age}",
    "problem.connecting": "連線中",
    "problem.stalled": "攝影機停滯",
    "problem.offline": "攝影機離線",
    "problem.denied": "登入被拒",
    "problem.stale": "沒有新畫面",
    "problem.silent": "代理程式沒有回應",
    "reason.connecting": "正在等待第一個畫面。",
    "reason.stalled": "攝影機停止傳送，正在重新連線。",
    "reason.offline": "無法連上攝影機，將持續重試。",
    "reason.denied": "攝影機拒絕登入，請檢查使用者名稱與密碼。",
    "reason.stale": "這部攝影機的畫面不再更新。",
    "reason.silent": "本頁會持續嘗試重新連線。",
    "age.none": "尚無畫面",
    "age.last": "最後畫面於 {age}前",
    "age.old": "{age}前",
    "age.seconds": "{s} 秒",
    "age.minutes": "{m} 分 {s} 秒",
    "age.hours": "{h} 小時 {m} 分",
    "age.days": "{d} 天 {h} 小時",
    "facts.fps": "每秒 {fps} 張",
    "facts.asJpeg": "{codec} 轉為 JPEG",
    "facts.undecodable": "JPEG（此瀏覽器無法解碼 {codec}）",
    "tile.picture": "{name} 的畫面",
    "transport.socket": "WebSocket",
    "transport.mjpeg": "Motion JPEG",
    "info.title": "資訊",
    "info.close": "關閉（I）",
    "info.stream": "攝影機傳送",
    "info.note": "備註",
    "info.streams": "串流",
    "info.shown": "本頁顯示",
    "info.age": "畫面時間差",
    "info.since": "狀態持續",
    "info.sinceFor": "{state}，已 {time}",
    "info.viewers": "觀看數",
    "info.reconnects": "重新連線",
    "info.stalls": "停滯 {stalls} 次",
    "info.reception": "接收",
    "info.lost": "{packets} 個封包遺失 {lost} 個 · 損壞影格 {damaged} 個",
    "info.jitter": "抖動 {ms} ms",
    "info.clock": "攝影機時鐘（不採用）",
    "info.error": "最近的錯誤",
    "info.worker": "處理程序",
    "info.address": "位址",
    "info.ages": "畫面時間差",
    "info.minutes": "5 分鐘前",
    "info.now": "現在",
    "info.plot": "最近 {minutes} 分鐘：即時 {share}，即時畫面最大時間差 {oldest}",
    "info.stateLog": "本頁所見",
    "info.snapshot": "儲存畫面（S）",
    "snapshot.saved": "已儲存：{file}",
    "snapshot.notLive": "未儲存：{name} 不是即時畫面（{state}）。",
    "snapshot.failed": "未儲存：代理程式沒有提供 {name} 的畫面。",
    "view.foreign": "{agent} 沒有回應此網頁；其他來源的網頁須列於其 cameras.toml 的 embed",
    "notice.dismiss": "關閉",
    "notice.agent": "代理程式訊息：{text}",
    "help.title": "按鍵",
    "help.close": "關閉",
    "help.arrows": "在攝影機之間移動，到邊緣時換頁",
    "help.pages": "上一頁、下一頁",
    "help.escape": "回到所有攝影機",
    "help.fullScreen": "全螢幕",
    "help.transport": "WebSocket 或 Motion JPEG",
    "help.info": "攝影機資訊",
    "help.snapshot": "將畫面存成檔案",
    "help.help": "顯示本說明",
    "help.truth": "只有明亮的畫面是即時的。變灰並蓋上橫幅的是舊畫面；橫幅會說明多舊以及原因。",
    "key.enter": "Enter",
    "key.escape": "Esc",
    "key.pageUp": "Page Up",
    "key.pageDown": "Page Down",
};

export const LANGUAGES = Object.freeze({ en: ENGLISH, "zh-TW": TRADITIONAL_CHINESE });

/** Set by `chooseLanguage`; English until then. @type {Record<string, string>} */
let texts = ENGLISH;
let language = "en";

/** The language the page uses now. */
export function currentLanguage() {
    return language;
}

/**
 * The first of the preferred languages (BCP 47 tags, best first) that this page has, else English. All
 * kinds of Chinese get Traditional Chinese: their readers understand it better than English.
 * @param {readonly string[]} preferred
 * @returns {"en" | "zh-TW"}
 */
export function pickLanguage(preferred) {
    for (const tag of preferred) {
        const primary = String(tag).toLowerCase().split(/[-_]/)[0];
        if (primary === "zh") return "zh-TW";
        if (primary === "en") return "en";
    }
    return "en";
}

/**
 * Sets the language of all texts from now on.
 * @param {"en" | "zh-TW"} chosen
 * @param {HTMLElement | null} root gets the `lang` attribute
 */
export function chooseLanguage(chosen, root = document.documentElement) {
    language = chosen;
    texts = LANGUAGES[chosen];
    if (root !== null) root.lang = chosen;
}

/** Adds texts that only one page needs. @param {Record<"en" | "zh-TW", Record<string, string>>} more */
export function addTexts(more) {
    Object.assign(LANGUAGES.en, more.en);
    Object.assign(LANGUAGES["zh-TW"], more["zh-TW"]);
}

/**
 * The text of `key`, with `{name}` replaced by `values.name`.
 * @param {string} key
 * @param {Record<string, unknown>} values
 */
export function t(key, values = {}) {
    const text = texts[key];
    if (text === undefined) {
        console.warn(`no text for ${key}`);
        return key;
    }
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A duration as text, rounded down so that nothing looks older than it is. @param {number} milliseconds */
export function duration(milliseconds) {
    const seconds = Math.floor(milliseconds / 1000);
    const [s, m, h, d] = [seconds % 60, Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600) % 24, Math.floor(seconds / 86400)];
    if (d > 0) return t("age.days", { d, h });
    if (h > 0) return t("age.hours", { h, m });
    if (m > 0) return t("age.minutes", { m, s });
    return t("age.seconds", { s });
}

/** Fills in `data-text` (content) and `data-label` (accessible name and tooltip) below `root`. @param {ParentNode} root */
export function translate(root) {
    /** @type {(selector: string) => NodeListOf<HTMLElement>} */
    const all = (selector) => root.querySelectorAll(selector);
    for (const element of all("[data-text]")) element.textContent = t(element.dataset.text ?? "", { ...element.dataset });
    for (const element of all("[data-label]")) {
        const label = t(element.dataset.label ?? "");
        element.setAttribute("aria-label", label);
        if (element.matches("button, a")) element.title = label;
    }
}
