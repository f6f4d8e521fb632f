// The texts that only the status page needs. Importing this module adds them.

import { addTexts } from "./language.js";

export const TEXTS = {
    en: {
        "status.title": "Cameras",
        "status.caption": "All cameras as the agent reports them now",
        "status.wall": "Camera wall",
        "status.agent": "Version {version}, running for {uptime}, viewers: {viewers}",
        "status.certificate": "Certificate for https, SHA-256: {fingerprint}",
        "status.silent": "Agent does not answer, {time}. This table is old.",
        "status.camera": "Camera",
        "status.state": "State",
        "status.age": "Age",
        "status.codec": "Codec",
        "status.size": "Size",
        "status.rate": "fps",
        "status.bitrate": "Mbit/s",
        "status.viewers": "Viewers",
        "status.reconnects": "Reconnects",
        "status.stalls": "Stalls",
        "status.cpu": "CPU",
        "status.memory": "Memory",
    },
    "zh-TW": {
        "status.title": "攝影機",
        "status.caption": "代理程式目前的所有攝影機",
        "status.wall": "監視牆",
        "status.agent": "版本 {version}，已執行 {uptime}，觀看數 {viewers}",
        "status.certificate": "https 憑證的 SHA-256 指紋：{fingerprint}",
        "status.silent": "代理程式沒有回應，已 {time}。本表是舊的。",
        "status.camera": "攝影機",
        "status.state": "狀態",
        "status.age": "時間差",
        "status.codec": "編碼",
        "status.size": "解析度",
        "status.rate": "每秒張數",
        "status.bitrate": "Mbit/s",
        "status.viewers": "觀看數",
        "status.reconnects": "重新連線",
        "status.stalls": "停滯",
        "status.cpu": "CPU",
        "status.memory": "記憶體",
    },
};

addTexts(TEXTS);
