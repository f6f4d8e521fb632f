// The texts of logins. Importing this module adds them.

import { addTexts } from "./language.js";

export const TEXTS = {
    en: {
        "login.title": "Log in",
        "login.name": "User name",
        "login.password": "Password",
        "login.reveal": "Show the password",
        "login.submit": "Log in",
        "login.trying": "Logging in …",
        "login.wrong": "The user name or the password is not right.",
        "login.wrongToken": "The token in the address of this page is not valid, or no longer. A new one is made with cctv-agent token.",
        "login.wait": "Too many failed attempts. The next one is possible in {time}.",
        "login.busy": "The agent checks other logins now. Trying again in {time}.",
        "login.silent": "The agent does not answer. Trying again in {time}.",
        "login.failed": "The agent answered with an error ({status}).",
        "login.needsHttps": "A login needs https, so that nobody on the way can read it. Open this page with https:// at the beginning of its address.",
        "login.notStored": "This browser does not keep the login. Allow cookies for this page.",
    },
    "zh-TW": {
        "login.title": "登入",
        "login.name": "使用者名稱",
        "login.password": "密碼",
        "login.reveal": "顯示密碼",
        "login.submit": "登入",
        "login.trying": "正在登入…",
        "login.wrong": "使用者名稱或密碼不正確。",
        "login.wrongToken": "本頁網址中的權杖無效或已失效。請以 cctv-agent token 產生新的權杖。",
        "login.wait": "失敗次數過多，{time}後可再試。",
        "login.busy": "代理程式正在處理其他登入，{time}後再試。",
        "login.silent": "代理程式沒有回應，{time}後再試。",
        "login.failed": "代理程式回應錯誤（{status}）。",
        "login.needsHttps": "登入必須使用 https，以免途中遭人讀取。請將本頁網址開頭改為 https://。",
        "login.notStored": "此瀏覽器沒有保存登入。請允許本頁使用 Cookie。",
    },
};

addTexts(TEXTS);
