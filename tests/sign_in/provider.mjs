// Three real providers for the tests, in one process: FAPI 2.0 as HelseID is, and plain ones like Entra ID and Keycloak.
// Prints their issuers as one line of JSON. BASE is where Readiness answers, CLIENT_JWKS the public half of its key.
import crypto, { generateKeyPairSync, webcrypto } from 'node:crypto';
import { createServer } from 'node:http';
import { register } from 'node:module';

// The provider is written for newer Node. Debian 12 has version 18, which lacks just these three.
globalThis.crypto ??= webcrypto;
URL.parse ??= (...address) => {
  try {
    return new URL(...address);
  } catch {
    return null;
  }
};
if (!crypto.hash) {
  const code = (text) => `data:text/javascript,${encodeURIComponent(text)}`;
  const withHash = code(`
    import crypto from 'node:crypto';
    export * from 'node:crypto';
    export default crypto;
    export const hash = (algorithm, data, encoding = 'hex') => crypto.createHash(algorithm).update(data).digest(encoding);`);
  register(code(`
    export const resolve = (name, context, next) =>
      name === 'node:crypto' && context.parentURL.includes('/oidc-provider/') ? { url: ${JSON.stringify(withHash)}, shortCircuit: true } : next(name, context);`));
}

console.warn = () => {};
console.info = () => {};
const { Provider } = await import('oidc-provider');

const BASE = process.env.BASE;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const LEVEL = 'helseid://claims/identity/security_level';
const ORGANISATION = 'helseid://claims/client/claims/orgnr_parent';

function client(name, more) {
  return {
    client_id: 'readiness', redirect_uris: [`${BASE}/sign-in/${name}/callback`], response_types: ['code'],
    post_logout_redirect_uris: [`${BASE}/sign-in/signed-out`], grant_types: ['authorization_code'],
    backchannel_logout_uri: `${BASE}/sign-in/${name}/back-channel`, backchannel_logout_session_required: true, ...more,
  };
}

function common(alg) {
  return {
    jwks: { keys: [{ ...rsa, kid: 'r1', use: 'sig', alg }] },
    enabledJWA: { clientAuthSigningAlgValues: ['PS256', 'ES256'], idTokenSigningAlgValues: ['PS256', 'ES256', 'RS256'], dPoPSigningAlgValues: ['ES256'] },
    fetch: (address, { dispatcher, ...rest }) => fetch(address, rest),  // its own refuses loopback
    conformIdTokenClaims: false, pkce: { required: () => true }, cookies: { keys: ['tests only'] },
  };
}

const ROLES = { nobody: ['offline_access'], ward: ['readiness-ward'], lars: ['readiness-leader'], 'unverified-lars': ['readiness-leader'] };
const features = { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true }, backchannelLogout: { enabled: true } };
const CONFIGURATIONS = {
  fapi: {
    ...common('PS256'),
    clients: [client('fapi', {
      scope: 'openid profile helseid', token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'PS256',
      id_token_signed_response_alg: 'PS256', dpop_bound_access_tokens: true, jwks: JSON.parse(process.env.CLIENT_JWKS),
    })],
    features: {
      ...features, fapi: { enabled: true, profile: '2.0' },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
    },
    scopes: ['openid', 'profile', 'helseid'],
    claims: { openid: ['sub'], profile: ['name'], helseid: [LEVEL, ORGANISATION] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({
      sub: id, name: `${id} <b>Support</b>`, [LEVEL]: id === 'weak' ? '3' : '4', [ORGANISATION]: id === 'nobody' ? '1' : '999999999',
    }) }),
  },
  entra: {
    ...common('RS256'),
    clients: [client('entra', { scope: 'openid profile', token_endpoint_auth_method: 'client_secret_post', client_secret: 'entra-secret-&=:%-long-enough', id_token_signed_response_alg: 'RS256' })],
    features, scopes: ['openid', 'profile'], claims: { openid: ['sub', 'roles', 'tid'], profile: ['name'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, tid: 'tenant', name: id, roles: id === 'nobody' ? [] : ['Readiness.Organiser', 'Other'] }) }),
  },
  keycloak: {
    ...common('RS256'),
    clients: [client('keycloak', { scope: 'openid profile', token_endpoint_auth_method: 'client_secret_basic', client_secret: 'keycloak-secret-&=:%-long-enough', id_token_signed_response_alg: 'RS256' })],
    features, scopes: ['openid', 'profile'], claims: { openid: ['sub', 'realm_access', 'acr', 'email', 'email_verified', 'department'], profile: ['name'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({
      sub: id, name: id, realm_access: { roles: ROLES[id] ?? ['readiness-support', 'readiness-organiser'] },
      department: ['Ward 1'], email: `${id.replace('unverified-', '')}@hospital.example`, email_verified: !id.startsWith('unverified'),
    }) }),
  },
};

const issuers = {};
for (const [name, configuration] of Object.entries(CONFIGURATIONS)) {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  issuers[name] = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuers[name], configuration);
  if (name === 'entra') {
    provider.use(async (ctx, next) => {  // as Entra's: takes S256 and does not say so, nor who answers
      await next();
      if (ctx.path === '/.well-known/openid-configuration') {
        delete ctx.body.code_challenge_methods_supported;
        delete ctx.body.authorization_response_iss_parameter_supported;
      }
    });
  }
  provider.on('backchannel.error', (_ctx, error) => process.stderr.write(`${error.message} ${error.cause}\n`));
  server.on('request', provider.callback());
}
process.stdin.on('end', () => process.exit(0)).resume();  // ends with whoever started it
console.log(JSON.stringify(issuers));
