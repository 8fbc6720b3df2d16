// All that the pure rooms may see of Node: how bytes become text and numbers. It stands in the place of @types/node where `npm run check`
// looks at paxos/, tables/, replication/ and app/: a clock, a socket or the console does not even type-check there.

interface Buffer extends Uint8Array<ArrayBuffer> {
  readonly parent: ArrayBuffer
  toString(encoding?: 'latin1' | 'utf8' | 'base64', start?: number, end?: number): string
  subarray(start?: number, end?: number): Buffer
}

declare var Buffer: {
  alloc(size: number): Buffer
  from(text: string, encoding: 'latin1' | 'utf8' | 'base64'): Buffer
  from(buffer: ArrayBufferLike, byteOffset: number, length: number): Buffer
  from(bytes: Uint8Array): Buffer
  isBuffer(value: unknown): value is Buffer
  compare(a: Uint8Array, b: Uint8Array): number
}

declare var TextDecoder: new (
  label?: string,
  options?: { fatal?: boolean; ignoreBOM?: boolean },
) => { decode(bytes: Uint8Array): string }

declare var TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }

declare function atob(base64: string): string
declare function btoa(binary: string): string

declare module 'node:zlib' {
  export function crc32(bytes: Uint8Array | string, value?: number): number
}
