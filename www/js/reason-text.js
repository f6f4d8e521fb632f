// Turns the agent's reason why a camera is not live into the text shown to the person on site.
//
// The agent writes reasons in English, the same as in its log. The end of a reason may announce the next
// attempt; the page shows that as a countdown. The parts before it are translated where a translation
// exists and otherwise stay English: an English fact is better than a Chinese guess.

import { currentLanguage, duration, t } from "./language.js";

const NEXT_ATTEMPT = /(?:^|; )trying again in (\d+) (s|min)( or after a reload)?(?: \(attempt (\d+)\))?$/;
/** @type {Record<string, number>} */
const UNIT_MS = { s: 1000, min: 60_000 };

/** @type {Record<string, [RegExp, string][]>} */
export const TRANSLATIONS = {
    "zh-TW": [
        [/^starting$/, "啟動中"],
        [/^waiting for the first picture$/, "正在等待第一個畫面"],
        [/^asking (.+) for its stream$/, "正在向 $1 查詢串流"],
        [/^no frame for ([\d.]+) s$/, "$1 秒沒有收到影像"],
        [/^the camera sent no steady video within (\d+) s of calling it$/, "連線後 $1 秒內沒有收到穩定的影像"],
        [/^the stream ended: (.+)$/, "串流中斷（$1）"],
        [/^cannot connect to (\S+): connection refused$/, "$1 拒絕連線"],
        [/^cannot connect to (\S+): (.+)$/, "無法連線到 $1（$2）"],
        [/^cannot find the address of (\S+): (.+)$/, "找不到 $1 的位址（$2）"],
        [/^cannot reach the ONVIF service at (\S+?)(?:: (.+))?$/, "無法連上 $1 的 ONVIF 服務"],
        [/^(\S+) did not answer (\S+) within ([\d.]+) s$/, "$1 在 $3 秒內沒有回應 $2"],
        [/^(\S+) did not finish telling its stream within ([\d.]+) s$/, "$1 在 $2 秒內沒有提供串流"],
        [/^(\S+) closed the connection without answering (\S+)$/, "$1 未回應 $2 就中斷連線"],
        [/^(\S+) wants a login for (\S+)$/, "$1 要求登入"],
        [/^(\S+) refused \S+ for user "(.*?)"(?:: .+)?$/, "$1 拒絕使用者「$2」登入"],
        [/^the camera refused the login \((.+)\)$/, "攝影機拒絕登入（$1）"],
        [/^the camera knows no such stream \((.+)\)$/, "攝影機沒有這個串流（$1）"],
        [/^the login itself is right: .+$/, "登入資料正確，但此使用者沒有觀看即時影像的權限"],
        [/^(\S+) asks for a login by (.+) for \S+, which is not spoken .+$/, "$1 要求以 $2 登入，此方式不受支援"],
        [/^switch on Digest or WS-UsernameToken in the camera$/, "請在攝影機啟用 Digest 或 WS-UsernameToken"],
        [/^check username and password(?:, and .+)?$/, "請檢查使用者名稱與密碼"],
        [/^set username and password$/, "請設定使用者名稱與密碼"],
        [/^(\S+) has no media profile "(.+)"$/, "$1 沒有設定檔「$2」"],
        [/^(\S+) has no media profile with video$/, "$1 沒有含影像的設定檔"],
        [/^it offers (.+)$/, "可用的有 $1"],
        [/^another device, or one that does not say who it is, answers at (\S+)$/, "$1 回應的是另一部裝置"],
        [/^(\S+) has no smaller profile of the same video source$/, "$1 的同一影像來源沒有較小的設定檔"],
        [/^name small_profile, or remove it$/, "請指定 small_profile，或移除它"],
        [/^(\S+) does not say which profiles belong to one channel$/, "$1 沒有說明哪些設定檔屬於同一頻道"],
        [/^name small_profile$/, "請指定 small_profile"],
        [/^(\S+) shows several cameras, and no profile says which$/, "$1 有多部攝影機，但未指定 profile"],
        [/^name one as profile$/, "請將其中之一指定為 profile"],
        [/^(\S+) calls several profiles "(.+)", which may show different cameras: (.+)$/, "$1 有數個名為「$2」的設定檔，可能是不同的攝影機：$3"],
        [/^write the token of one as profile$/, "請將其中之一的 token 寫入 profile"],
        [/^(\S+) does not answer as the camera did$/, "$1 的回應與先前的攝影機不同"],
        [/^no login was sent to it$/, "沒有送出登入資料"],
        [/^if it is the camera, write trust = "address"$/, "如果它就是這部攝影機，請寫 trust = \"address\""],
        [/^the camera names another host for its stream, (\S+)$/, "攝影機指出串流在另一部主機 $1"],
        [/^that wants a login and was sent none$/, "該主機要求登入，未送出登入資料"],
        [/^if it may have the login, write stream_host = "(.+)"$/, "若可將登入資料送給它，請寫 stream_host = \"$1\""],
        [/^only one frame in ([\d.]+) s arrives$/, "每 $1 秒才收到一個影格"],
        [/^stall_after is ([\d.]+) s and must be at least twice as long$/, "stall_after 為 $1 秒，至少須為其兩倍"],
        [/^frames arrive, but no key frame (?:within|for) (\d+) s$/, "有收到影格，但 $1 秒內沒有關鍵影格"],
        [/^set the camera's key frame interval to 10 s or less$/, "請將攝影機的關鍵影格間隔設為 10 秒以內"],
        [/^frames arrive, but the decoder has given no picture for ([\d.]+) s$/, "有收到影格，但 $1 秒無法解碼出畫面"],
        [/^the camera has no room for another viewer \((.+)\)$/, "攝影機連線數已滿（$1）"],
        [/^close other programs that .+$/, "請關閉其他正在觀看它的程式"],
        [/^the stream holds no video, or the camera closed the connection$/, "串流沒有影像，或攝影機已中斷連線"],
        [/^the camera ended the stream$/, "攝影機結束了串流"],
        [/^its configuration has changed$/, "設定已變更"],
        [/^connecting again$/, "正在重新連線"],
        [/^the (?:main|small) stream stands in for the (main|small) one, which is (\w+)$/, "$1 串流無法使用（$2），以另一個串流代替"],
        [/^not in cameras\.toml$/, "cameras.toml 中沒有這部攝影機"],
    ],
};

/**
 * @param {string} text the agent's reason
 * @param {number} since page time at which the agent reported it
 * @param {number} now page time
 * @returns {{reason: string, nextStep: string}} the reason, and what the agent does next; either may be empty
 */
export function explain(text, since, now) {
    const next = NEXT_ATTEMPT.exec(text);
    const reason = translate(next === null ? text : text.slice(0, next.index));
    return { reason, nextStep: next === null ? "" : countdown(next, since, now) };
}

/** @param {string[]} next groups of NEXT_ATTEMPT @param {number} since @param {number} now */
function countdown([, count, unit, reload, attempt], since, now) {
    const left = Number(count) * UNIT_MS[unit] - (now - since);
    // After the countdown the attempt runs for an unknown time; the agent reports its end.
    const when = left > 0 ? t("retry.in", { time: duration(Math.ceil(left / 1000) * 1000) }) : t("retry.now");
    const number = attempt === undefined ? "" : t("retry.attempt", { attempt });
    return `${when}${number}${reload === undefined ? "" : t("retry.reload")}`;
}

/** @param {string} text */
function translate(text) {
    const table = TRANSLATIONS[currentLanguage()];
    if (table === undefined || text === "") return text;
    const parts = text.split("; ").map((part) => {
        const found = table.find(([pattern]) => pattern.test(part));
        return found === undefined ? part : part.replace(found[0], found[1]);
    });
    return parts.join("；");
}

/** Remembers since when each camera has had the same reason. */
export class ReasonTimes {
    /** @type {Map<string, {reason: string, since: number}>} */
    #cameras = new Map();

    /** Page time at which `reason` was first reported. @param {string} camera @param {string} reason @param {number} now */
    since(camera, reason, now) {
        let last = this.#cameras.get(camera);
        if (last === undefined || last.reason !== reason) {
            last = { reason, since: now };
            this.#cameras.set(camera, last);
        }
        return last.since;
    }

    /** @param {string} camera */
    delete(camera) {
        this.#cameras.delete(camera);
    }
}
