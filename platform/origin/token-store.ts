import { randomBytes, timingSafeEqual } from 'node:crypto';

export type TokenType = 'session' | 'user' | 'notebook' | 'internal' | 'service';

/** What Gafaelfawr keeps about a token. Times are seconds since the epoch, as on its wire. */
export interface TokenData {
  key: string;
  secret: string;
  username: string;
  tokenType: TokenType;
  scopes: readonly string[];
  created: number;
  expires?: number;
  tokenName?: string;
  service?: string;
  parent?: string;
  name?: string;
  email?: string;
  uid?: number;
  gid?: number;
  groups?: readonly { name: string; id: number }[];
}

export type NewToken = Omit<TokenData, 'key' | 'secret' | 'created'>;

export const serialize = ({ key, secret }: TokenData): string => `gt-${key}.${secret}`;

const TOKEN = /^gt-([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})$/;
const part = (): string => randomBytes(16).toString('base64url');
const nowSeconds = (): number => Date.now() / 1000;

/** Whether a text has a token's form; it may still be nobody's. */
export const isToken = (text: string): boolean => TOKEN.test(text);

/** All tokens of the platform, in memory: a new platform knows none of an old one's. */
export class TokenStore {
  readonly #tokens = new Map<string, TokenData>();
  /** parent key + service → the delegated token's key */
  readonly #delegated = new Map<string, string>();

  create(token: NewToken): TokenData {
    const data: TokenData = { ...token, key: part(), secret: part(), created: Math.floor(nowSeconds()) };
    this.#tokens.set(data.key, data);
    return data;
  }

  /** The token's data; undefined for one that is malformed, unknown, expired, or has the wrong secret. */
  verify(text: string): TokenData | undefined {
    const [, key = '', secret = ''] = TOKEN.exec(text) ?? [];
    const data = this.#live(key);
    return data && timingSafeEqual(Buffer.from(data.secret), Buffer.from(secret)) ? data : undefined;
  }

  list(username: string): TokenData[] {
    return [...this.#tokens.keys()].flatMap((key) => {
      const data = this.#live(key);
      return data?.username === username ? [data] : [];
    });
  }

  find(username: string, key: string): TokenData | undefined {
    const data = this.#live(key);
    return data?.username === username ? data : undefined;
  }

  /** Deletes a token and all that were delegated from it. */
  delete(key: string): void {
    this.#tokens.delete(key);
    for (const child of this.#tokens.values()) if (child.parent === key) this.delete(child.key);
  }

  /**
   * The token that a service gets in the caller's name, the same one for the same caller and service: `notebook` for the
   * labs, with all of the caller's scopes, `internal` for the others, with those of `scopes` that the caller has.
   */
  delegate(
    parent: TokenData,
    target: { type: 'notebook' } | { type: 'internal'; service: string; scopes: readonly string[] },
  ): TokenData {
    const id = `${parent.key} ${target.type === 'internal' ? target.service : ''}`;
    const known = this.#live(this.#delegated.get(id) ?? '');
    if (known) return known;
    const inherited = target.type === 'notebook' ? undefined : new Set(target.scopes);
    const { username, expires, name, email, uid, gid, groups } = parent;
    const token = this.create({
      username,
      tokenType: target.type,
      scopes: parent.scopes.filter((scope) => inherited?.has(scope) ?? true),
      parent: parent.key,
      ...(target.type === 'internal' && { service: target.service }),
      ...(expires !== undefined && { expires }),
      ...(name !== undefined && { name }),
      ...(email !== undefined && { email }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      ...(groups !== undefined && { groups }),
    });
    this.#delegated.set(id, token.key);
    return token;
  }

  #live(key: string): TokenData | undefined {
    const data = this.#tokens.get(key);
    if (data?.expires === undefined || data.expires > nowSeconds()) return data;
    this.delete(key);
    return undefined;
  }
}
