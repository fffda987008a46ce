import { RedirectRefusedError } from './errors.ts';

/**
 * The URLs that belong to one user's hub and lab. Our token and cookies go nowhere else, whatever a redirect says.
 *
 * Nublado serves both under one base (…/nb/hub/…, …/nb/user/{username}/…); where it gives each user a subdomain
 * the lab is at {username}.{hub's host} under the same path.
 */
export class UrlSpace {
  readonly username: string;
  readonly #hubUrl: URL;
  readonly #labHostname: string;
  /** path before /hub and /user, without a trailing slash */
  readonly #basePath: string;

  /** @param hubUrl Nublado's base, for example https://data.example.org/nb */
  constructor(hubUrl: string, username: string) {
    this.username = username;
    this.#hubUrl = new URL(hubUrl);
    this.#labHostname = `${username}.${this.#hubUrl.hostname}`.toLowerCase();
    this.#basePath = this.#hubUrl.pathname.replace(/\/+$/, '');
  }

  /** @param path below the hub, for example "hub/home" */
  hub(path: string): URL {
    return new URL(`${this.#basePath}/${path}`, this.#hubUrl);
  }

  /**
   * @param path below the user's lab, for example "api/status"
   * @param origin where the lab was found to be, if not where the hub is
   */
  lab(path: string, origin: string = this.#hubUrl.origin): URL {
    return new URL(`${this.#basePath}/user/${encodeURIComponent(this.username)}/${path}`, origin);
  }

  /** Does this URL lead to the lab (and not to the hub)? */
  isLab(url: URL): boolean {
    return this.#hasOurHost(url) && url.pathname.startsWith(this.lab('').pathname);
  }

  isHub(url: URL): boolean {
    return this.#hasOurHost(url) && url.pathname.startsWith(this.hub('hub/').pathname);
  }

  /**
   * Where a redirect leads.
   *
   * @throws RedirectRefusedError when that is neither the hub nor this user's lab
   */
  resolve(location: string, from: URL): URL {
    const url = URL.parse(location, from.href);
    if (url && (this.isHub(url) || this.isLab(url) || this.#isBase(url))) return url;
    const target = url ? url.origin + url.pathname : 'no valid URL';
    throw new RedirectRefusedError(
      `${from.pathname} redirects to ${target}, outside of the hub and the lab of ${this.username} ` +
        "(a login page means that the bot's Gafaelfawr token is expired, revoked or lacks a scope)",
    );
  }

  #isBase(url: URL): boolean {
    return this.#hasOurHost(url) && url.pathname.replace(/\/+$/, '') === this.#basePath;
  }

  #hasOurHost(url: URL): boolean {
    const { protocol, port, hostname } = this.#hubUrl;
    // Credentials in a URL would replace the ones we send.
    if (url.protocol !== protocol || url.port !== port || url.username || url.password) return false;
    return url.hostname === hostname || url.hostname === this.#labHostname;
  }
}
