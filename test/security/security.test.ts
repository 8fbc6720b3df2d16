import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { it } from 'node:test'
import { credentials, ServerCredentials, status } from '@grpc/grpc-js'
import { probeEndpoint } from '../../src/client/endpoint-probe.js'
import { INSECURE, type Security } from '../../src/security/security.js'
import { call, connectTo } from '../server/client.js'
import { serve } from '../server/server.js'
import { connectAll, startNode } from '../transport/fixture.js'

/** Used by this test alone: for localhost and 127.0.0.1, until 2120. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBHnF2gYOtLEc9+fS
G5QdlsvsLI9hZb6ymNs3fFKKvMWhRANCAARsTRbdAVv6EOQSVPdxH76glUmNOoDO
y+pSS73JTnCEhZyjgz4KRcOU5HtmBD/CX7ZXRavAQcsX6sZJbVE1AwtR
-----END PRIVATE KEY-----
`
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBaDCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGxNFt0BW/oQ5BJU
93EfvqCVSY06gM7L6lJLvclOcISFnKODPgpFw5Tke2YEP8JftldFq8BByxfqxklt
UTUDC1GjTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0
hwR/AAABMB0GA1UdDgQWBBQk/ZHRA5/oSM07V2CioQyw8duU0TAKBggqhkjOPQQD
AgNJADBGAiEAkctAWbTBthYD2JKwJN5r8wgX4JeGCYNUohPNviA4hHUCIQDE3Iqx
YVayTSEbdNCUBdmf9oBQT8Cvyco9t/tFTp5paQ==
-----END CERTIFICATE-----
`

/** TLS with one certificate for all, and a list of the members that were dialled. */
function tls(): Security & { readonly dialled: number[] } {
  const [ca, key, cert] = [CERTIFICATE, KEY, CERTIFICATE].map((pem) => Buffer.from(pem)) as [Buffer, Buffer, Buffer]
  const dialled: number[] = []
  return {
    dialled,
    toNode: () => credentials.createSsl(ca),
    openHttp2: (endpoint) => connectHttp2(`https://${endpoint}`, { ca }),
    clientPort: () => ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }]),
    peerPort: () => ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }]),
    toPeer: (nodeId) => {
      dialled.push(nodeId)
      return credentials.createSsl(ca)
    },
  }
}

it('one object decides for the port of clients, their channels and their probes', async (t) => {
  const security = tls()
  const { server, clients } = await serve(t, { security })
  const { revision } = await call(clients.kv, 'put', { key: 'a', value: new Uint8Array(), returnPrevious: false, requestId: '' })
  assert.equal(revision, 2n)
  const endpoint = server.address
  assert.deepEqual(await probeEndpoint(endpoint, { timeoutMs: 5_000, security }), { endpoint, serves: true })
  const plain = await probeEndpoint(endpoint, { timeoutMs: 5_000, security: INSECURE })
  assert.match(plain.serves ? '' : plain.trouble, /TLS/)
  const stranger = connectTo(endpoint)
  t.after(() => stranger.close())
  await assert.rejects(call(stranger.cluster, 'status', {}), { code: status.UNAVAILABLE })
})

it('the same object decides for the links between members, by member', async (t) => {
  const security = tls()
  const nodes = [await startNode(t, 1, { security }), await startNode(t, 2, { security })] as const
  await connectAll(...nodes)
  assert.deepEqual(new Set(security.dialled), new Set([1, 2]))
})
