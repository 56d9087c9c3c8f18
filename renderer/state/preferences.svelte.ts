/** Theme and language: kept by the application, applied to the page at once. `system` follows the system, live. */
import type { ApiClient, AppInfo, Preferences } from '#app/contract/api.ts';
import { language, localeOf } from '../i18n/index.svelte.ts';

class PreferencesState {
  value = $state.raw<Preferences>({ theme: 'system', language: 'system' });
  #systemDark = $state(false);
  #systemLanguage = $state<string | undefined>(undefined);
  #client: ApiClient | undefined;

  readonly theme = $derived.by<'light' | 'dark'>(() =>
    this.value.theme === 'system' ? (this.#systemDark ? 'dark' : 'light') : this.value.theme,
  );
  readonly locale = $derived(
    this.value.language === 'system' ? localeOf(this.#systemLanguage ?? navigator.language) : this.value.language,
  );

  start(client: ApiClient): () => void {
    this.#client = client;
    const dark = window.matchMedia('(prefers-color-scheme: dark)');
    const follow = (): void => {
      this.#systemDark = dark.matches;
    };
    follow();
    dark.addEventListener('change', follow);
    const unsubscribe = client.on('preferences.changed', (value) => {
      this.value = value;
    });
    const stopEffects = $effect.root(() => {
      $effect(() => {
        document.documentElement.dataset['theme'] = this.theme;
      });
      $effect(() => {
        language.locale = this.locale;
        document.documentElement.lang = this.locale === 'zh' ? 'zh-Hans' : 'en';
      });
    });
    return () => {
      stopEffects();
      unsubscribe();
      dark.removeEventListener('change', follow);
    };
  }

  async load(client: ApiClient, info: AppInfo): Promise<void> {
    this.#systemLanguage = info.locale;
    this.value = await client.call('preferences.get', {});
  }

  /** Applied at once; the application's answer is what stays. */
  async set(change: Partial<Preferences>): Promise<void> {
    this.value = { ...this.value, ...change };
    if (this.#client !== undefined) this.value = await this.#client.call('preferences.set', change);
  }
}
export const preferences = new PreferencesState();
