/**
 * Coarse names of browser, system and device. The full user agent and the device labels never leave the page.
 * @typedef {import("../../shared/types").Platform} Platform
 */

/** In order: the first that matches decides, because most browsers also claim to be another. */
const BROWSERS = /** @type {const} */ ([
  ["App", /\b(?:FBAN|FBAV|Instagram|Snapchat|Line|MicroMessenger|GSA|LinkedInApp|Twitter)\b|; wv\)/, /Chrome\/(\d+)/],
  ["Samsung", /SamsungBrowser/, /SamsungBrowser\/(\d+)/],
  ["Edge", /Edg(?:e|A|iOS)?\//, /Edg(?:e|A|iOS)?\/(\d+)/],
  ["Opera", /OPR\/|OPT\//, /OP[RT]\/(\d+)/],
  ["Firefox", /Firefox\/|FxiOS\//, /(?:Firefox|FxiOS)\/(\d+)/],
  ["Chrome", /Chrome\/|CriOS\/|Chromium\//, /(?:Chrome|CriOS|Chromium)\/(\d+)/],
  ["Safari", /Safari\//, /Version\/(\d+)/],
]);

const SYSTEMS = /** @type {const} */ ([
  ["iOS", /iPhone|iPad|iPod/],
  ["Android", /Android/],
  ["Windows", /Windows/],
  ["ChromeOS", /CrOS/],
  ["macOS", /Mac OS X|Macintosh/],
  ["Linux", /Linux|X11/],
]);

/**
 * @param {{ userAgent: string, maxTouchPoints?: number }} navigator
 * @returns {Platform} such as {browser: "Chrome 142", os: "Android", form: "phone"}
 */
export function platformOf({ userAgent, maxTouchPoints = 0 }) {
  const desktopIpad = /Macintosh/.test(userAgent) && maxTouchPoints > 1;
  const os = desktopIpad ? "iOS" : (SYSTEMS.find(([, pattern]) => pattern.test(userAgent))?.[0] ?? "unknown");
  const found = BROWSERS.find(([, pattern]) => pattern.test(userAgent));
  const bare = os === "iOS" && !found ? "App" : "unknown";
  const version = found ? found[2].exec(userAgent)?.[1] : undefined;
  const browser = [found?.[0] ?? bare, version].filter(Boolean).join(" ");
  return { browser, os, form: formOf(userAgent, os, desktopIpad) };
}

/** @param {string} userAgent @param {string} os @param {boolean} desktopIpad @returns {Platform["form"]} */
function formOf(userAgent, os, desktopIpad) {
  if (desktopIpad || /iPad|Tablet/.test(userAgent)) return "tablet";
  if (os === "iOS") return "phone";
  if (os === "Android") return /Mobile/.test(userAgent) ? "phone" : "tablet";
  return "computer";
}

/** Words for looking up advice, such as {os: "ios", browser: "safari"}. @param {Platform} platform */
export function adviceNames({ os, browser }) {
  return { os: os.toLowerCase(), browser: browser.split(" ")[0].toLowerCase() };
}

const MICROPHONES = /** @type {const} */ ([
  ["virtual", /virtual|vb-?audio|blackhole|loopback|soundflower|voicemeeter|\bobs\b|fake/i],
  ["bluetooth_headset", /bluetooth|airpods|hands-?free|\bbuds\b|blåtann/i],
  ["webcam", /webcam|\bcam\b|camera|kamera|logitech c\d|brio/i],
  ["speakerphone", /speakerphone|jabra speak|poly sync|konferanse|conference|echo cancel/i],
  ["headset", /headset|headphone|earphone|hodetelefon|hodesett|øretelefon|wired|kablet|jabra|plantronics|sennheiser|epos/i],
  ["built_in", /built-?in|internal|intern|innebygd|array|macbook|imac|iphone|ipad|speakerphone|default/i],
]);

const CAMERAS = /** @type {const} */ ([
  ["virtual", /virtual|\bobs\b|snap camera|manycam|fake|xsplit/i],
  ["front", /front|selfie|foran|fremre/i],
  ["back", /back|rear|bak/i],
  ["built_in", /built-?in|integrated|internal|innebygd|integrert|facetime|easycamera/i],
  ["webcam", /webcam|usb|logitech|logi|brio|kamera|camera|\bcam\b/i],
]);

/** @param {string} label @returns {string} a class of microphone, never the label */
export function microphoneClass(label) {
  return MICROPHONES.find(([, pattern]) => pattern.test(label))?.[0] ?? "unknown";
}

/** @param {string} label @returns {string} a class of camera, never the label */
export function cameraClass(label) {
  return CAMERAS.find(([, pattern]) => pattern.test(label))?.[0] ?? "unknown";
}

/** Whether WebRTC works; what switches it off may leave its name. @param {any} scope */
function makesPeers({ RTCPeerConnection }) {
  try {
    new RTCPeerConnection().close();
    return true;
  } catch {
    return false;
  }
}

/**
 * Interfaces that a video meeting needs and this browser lacks.
 * @param {any} scope usually `globalThis` @returns {string[]} their W3C names
 */
export function missingInterfaces(scope) {
  const missing = ["WebSocket", "AudioWorkletNode", "MediaStream"].filter((name) => !scope[name]);
  if (!makesPeers(scope)) missing.push("RTCPeerConnection");
  if (!scope.navigator?.mediaDevices?.getUserMedia) missing.push("getUserMedia");
  return missing;
}
