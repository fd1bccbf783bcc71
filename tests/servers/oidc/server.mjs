// The identity provider of the tests: oidc-provider on a free port of 127.0.0.1, configured by the JSON in argv.
// Prints its issuer once it listens. Who logs in is the subject that the login form sends; nobody is asked for a password.
import http from 'node:http'
import Provider from 'oidc-provider'

const { clients, claims = {}, jwks, lifetimes = {} } = JSON.parse(process.argv[2])
const server = http.createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients,
    jwks,
    cookies: { keys: ['test'] },
    pkce: { required: () => true },
    claims: { openid: ['sub', 'groups'], profile: ['name'], email: ['email'] },
    conformIdTokenClaims: false,
    scopes: ['openid', 'offline_access', 'profile', 'email', 'jobs'],
    ttl: { AccessToken: 3600, ClientCredentials: 600, DeviceCode: 600, IdToken: 3600, RefreshToken: 86400, Interaction: 600, Session: 600, Grant: 86400, ...lifetimes },
    rotateRefreshToken: true,
    issueRefreshToken: async (ctx, client, code) => code.scopes.has('offline_access'),
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, name: id, groups: claims[id] ?? [] }) }),
    features: {
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx) => (ctx.oidc.body?.grant_type === 'client_credentials' ? 'urn:custctl' : undefined),
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'jobs', audience: 'urn:custctl', accessTokenFormat: 'jwt' }),
      },
    },
    extraTokenClaims: (ctx, token) => ({ groups: claims[token.accountId ?? token.clientId] ?? [] }),
    renderError: (ctx, out, error) => { ctx.body = out; if (error) console.error(error.message) },
  })
  server.on('request', provider.callback())
  console.log(issuer)
})
