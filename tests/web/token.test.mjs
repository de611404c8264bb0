/** Links as they arrive (Skyfay/SkySend#68, supabase/auth#542: `#` as `%23`, or lost): each opens, or is known to be cut. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pageOf, secretOf, tokenIn } from "../../web/shared/token.js";

const TOKENS = ["x7Jq-2D_ab3Kd9fGhLmNpQrStUvWxYz0123456789AB", "_-GhLmNpQrStUvWxYz0123456789ABx7Jq2Dab3Kd9-", "2D2D3D5F23abcdefGHIJKLMNOPqrstuvwxyz0123456"];
const address = (href) => {
  const { hash, pathname, search } = new URL(`https://ready.example${href}`);
  return { hash, pathname, search };
};
const found = (href) => secretOf(address(href));

/** What is done to a link; `|` stands where the token is. */
const IN_FRAGMENT = [
  "/o/demo/t#|", "/o/demo/t#|.", "/o/demo/t#|,", "/o/demo/t#|)", "/o/demo/t#|).", "/o/demo/t#|>", "/o/demo/t#|%3E", "/o/demo/t#%3C|%3E", "/o/demo/t#|/", "/o/demo/t/#|", "/o/demo/t./#|",
  "/o/demo/t##|", "/o/demo/t#%23|", "/o/demo/t#|&data=05%7C01%7Canna%40post.example", "/o/demo/t#|?utm_source=mail", "/o/demo/t?lang=nn#|", "/o/demo/t#|%20", "/o/demo/t#%22|%22", "/o/demo/t#*|*",
  "/o/demo/t#_|_", "/o/demo/t#|%E2%80%8B", "/o/demo/t#%C2%A0|", "//o/demo/t#|", "/O/DEMO/T#|", "/o/demo//board#|", "/o/demo/plan#|;", "/o/demo/support#|'", "/o/demo/t#|=", "/o/demo/t#3D|".replace("3D", "%3D"),
  "/o/demo/t#=23|", "/o/demo/t#|%0D%0A", "/o/demo/t#|%E2%80%9D", "/o/demo/t#|]", "/o/demo/t#|%",
];
const IN_PATH = [
  "/o/demo/t%23|", "/o/demo/t/%23|", "/o/demo/t%2523|", "/o/demo/t%252523|", "/o/demo/t=23|", "/o/demo/t%3D23|", "/o/demo/t/|", "/o/demo/t|", "/o/demo/t%23|.", "/o/demo/t%23|)", "/o/demo/t%23|%3E", "/o/demo/t%23|/",
  "/o/demo/t%23|&data=05%7C01", "/o/demo/t?|", "/o/demo/t?%23|", "/o/demo/t?url=https%3A%2F%2Fready.example%2Fo%2Fdemo%2Ft%23|&data=05", "/O/Demo/BOARD%23|", "//o//demo//plan%23|", "/o/demo/support%23|,", "/o/demo/t%20%23|", "/o/demo/t%23%3C|%3E",
];
for (const [name, forms, seen] of [["in the fragment", IN_FRAGMENT, false], ["in the path or the query", IN_PATH, true]]) {
  test(`a token ${name} is found whatever stands around it, and whether others have read it`, () => {
    for (const form of forms) for (const token of TOKENS) assert.deepEqual(found(form.replace("|", token)), { token, seen }, `${form} ${token}`);
  });
}

test("a token that a mail has broken in the middle is put together", () => {
  for (const token of TOKENS) {
    for (const at of [1, 7, 20, 42]) {
      for (const sign of ["=\r\n", "=\n", "\n", " ", "%20", "%0D%0A", "=%0D%0A", "=%0A", "%3D%0A", "=", "\u00ad", "\u200b", "%E2%80%8B", "=0D=0A", "\t"]) {
        const broken = token.slice(0, at) + sign + token.slice(at);
        assert.equal(tokenIn(broken), token, JSON.stringify([broken]));
      }
    }
    const quoted = token.replaceAll("-", "=2D").replaceAll("_", "=5F");
    assert.equal(tokenIn(quoted), token);
  }
});

test("a token that an editor has set in type is read as it was: dashes for hyphens, one long one for two, Markdown's backslashes", () => {
  const double = "x7Jq--2D_ab3Kd9fGhLmNpQrStUvWxYz0123456789A";
  for (const token of [...TOKENS, double]) {
    for (const sign of ["\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\uff0d", "%E2%80%93", "\\-"]) {
      assert.equal(tokenIn(token.replaceAll("-", sign)), token, sign);
      assert.deepEqual(found(`/o/demo/t#${token.replaceAll("-", sign)}`), { token, seen: false }, sign);
    }
    assert.equal(tokenIn(token.replaceAll("_", "\\_")), token);
    assert.equal(tokenIn(`\u2013${token}\u2014`), token);
  }
  for (const sign of ["\u2013", "\u2014", "%E2%80%94"]) assert.equal(tokenIn(double.replace("--", sign)), double, sign);
});

test("where the secret was cut off there is none, and nothing else is mistaken for one", () => {
  for (const href of ["/o/demo/t", "/o/demo/t#", "/o/demo/t/", "/o/demo/t.", "/o/demo/t%23", "/o/demo/t?lang=nb", "/o/demo/t#abc", "/o/demo/try", "/o/demo/t?utm_id=0123456789012345678901234567890123456789abc", "/t/s1#main", "/board/s1#0123456789abcdefghij"]) {
    assert.equal(found(href), null, href);
  }
  const half = TOKENS[0].slice(0, 30);
  assert.deepEqual(found(`/o/demo/t#${half}`), { token: half, seen: false });
  assert.equal(tokenIn(TOKENS[0] + TOKENS[1]), null);
});

test("the page that is meant is known, and others are not", () => {
  const meant = { "/o/demo/t": "t", "/o/demo/try/": "try", "/O/DEMO/T": "t", "/o/demo/code.": "code", "/o/demo/board%3E": "board", "/o/de=%0Amo/t": "t" };
  for (const [path, page] of Object.entries(meant)) assert.equal(pageOf(path)?.page, page, path);
  for (const path of ["/", "/t/s1", "/o/demo", "/o/demo/tea", "/o/demo/boards", "/static/o/demo/t", "/o/demo/t-x"]) assert.equal(pageOf(path), null, path);
});
