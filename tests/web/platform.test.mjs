import assert from "node:assert/strict";
import { test } from "node:test";
import { adviceNames, cameraClass, microphoneClass, missingInterfaces, platformOf } from "../../web/selftest/js/platform.js";
import { protocol } from "./support.mjs";

const MOZILLA = "Mozilla/5.0";
const KNOWN = [
  ["Chrome 142", "Android", "phone", `${MOZILLA} (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36`],
  ["Chrome 142", "Android", "tablet", `${MOZILLA} (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36`],
  ["Samsung 28", "Android", "phone", `${MOZILLA} (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`],
  ["Safari 18", "iOS", "phone", `${MOZILLA} (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1`],
  ["Chrome 130", "iOS", "phone", `${MOZILLA} (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0.6723.90 Mobile/15E148 Safari/604.1`],
  ["App", "iOS", "phone", `${MOZILLA} (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148`],
  ["App 142", "Android", "phone", `${MOZILLA} (Linux; Android 14; SM-A155; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36`],
  ["Edge 141", "Windows", "computer", `${MOZILLA} (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0`],
  ["Firefox 145", "Windows", "computer", `${MOZILLA} (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0`],
  ["Safari 18", "macOS", "computer", `${MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15`],
  ["Chrome 142", "ChromeOS", "computer", `${MOZILLA} (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36`],
  ["Firefox 140", "Linux", "computer", `${MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0`],
];

test("browser, system and form come out of the user agent, and nothing else does", () => {
  for (const [browser, os, form, userAgent] of KNOWN) assert.deepEqual(platformOf({ userAgent }), { browser, os, form });
});

test("an iPad that says it is a Mac is known by its touch points", () => {
  const userAgent = KNOWN.find(([, os]) => os === "macOS")[3];
  assert.deepEqual(platformOf({ userAgent, maxTouchPoints: 5 }), { browser: "Safari 18", os: "iOS", form: "tablet" });
});

test("an unknown or hostile user agent gives short words that the protocol allows", () => {
  for (const userAgent of ["", "x".repeat(10_000), "Chrome/99999999999999999999 <script>"]) {
    const { browser, os } = platformOf({ userAgent });
    assert.ok(browser.length <= 40 && os.length <= 20, browser);
    assert.ok(!browser.includes("<"));
  }
});

test("advice is looked up by lower-case names", () => {
  assert.deepEqual(adviceNames({ browser: "Safari 18", os: "iOS", form: "phone" }), { os: "ios", browser: "safari" });
});

test("labels become classes of the protocol; a name in a label never comes through", () => {
  const cases = [
    [microphoneClass, "Karis AirPods", "bluetooth_headset"], [microphoneClass, "Jabra Evolve2 40 Headset", "headset"],
    [microphoneClass, "Innebygd mikrofon", "built_in"], [microphoneClass, "Jabra Speak 510", "speakerphone"],
    [microphoneClass, "HD Pro Webcam C920 (046d:082d)", "webcam"], [microphoneClass, "Fake Default Audio Input", "virtual"],
    [microphoneClass, "Olas greie", "unknown"], [cameraClass, "FaceTime HD Camera", "built_in"],
    [cameraClass, "camera2 1, facing front", "front"], [cameraClass, "camera2 0, facing back", "back"],
    [cameraClass, "OBS Virtual Camera", "virtual"], [cameraClass, "Logitech BRIO", "webcam"], [cameraClass, "", "unknown"],
  ];
  const allowed = protocol.$defs["devices.final.data"].properties;
  for (const [classify, label, expected] of cases) {
    assert.equal(classify(label), expected, label);
    const device = classify === cameraClass ? "camera" : "microphone";
    assert.ok(allowed[device].properties.device_class.enum.includes(expected));
  }
});

class Peer {
  close() {}
}

test("WebRTC that is there by name only is missing: an extension or a policy has switched it off", () => {
  const closed = [];
  class Counted {
    close() {
      closed.push(this);
    }
  }
  class Off {
    constructor() {
      throw new Error("disabled by the administrator");
    }
  }
  const scope = { WebSocket: 1, AudioWorkletNode: 1, MediaStream: 1, navigator: { mediaDevices: { getUserMedia: 1 } } };
  assert.deepEqual(missingInterfaces({ ...scope, RTCPeerConnection: Counted }), []);
  assert.equal(closed.length, 1);
  assert.deepEqual(missingInterfaces({ ...scope, RTCPeerConnection: Off }), ["RTCPeerConnection"]);
  assert.deepEqual(missingInterfaces({ ...scope, RTCPeerConnection: undefined }), ["RTCPeerConnection"]);
});

test("interfaces that are missing are named", () => {
  const whole = { WebSocket: 1, RTCPeerConnection: Peer, AudioWorkletNode: 1, MediaStream: 1, navigator: { mediaDevices: { getUserMedia() {} } } };
  assert.deepEqual(missingInterfaces(whole), []);
  assert.deepEqual(missingInterfaces({ ...whole, navigator: {} }), ["getUserMedia"]);
  assert.deepEqual(missingInterfaces({}), ["WebSocket", "AudioWorkletNode", "MediaStream", "RTCPeerConnection", "getUserMedia"]);
});
