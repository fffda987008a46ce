/** Repertoire's discovery document, with the services that there are here. */
export function discoveryDocument(originUrl: string): object {
  return {
    applications: ['gafaelfawr', 'noteburst', 'nublado', 'repertoire'],
    datasets: {},
    environment_name: 'local',
    influxdb_databases: {},
    services: {
      internal: {
        gafaelfawr: {
          url: `${originUrl}/auth/api`,
          openapi: `${originUrl}/auth/openapi.json`,
          versions: { v1: { url: `${originUrl}/auth/api/v1` } },
        },
        noteburst: {
          url: `${originUrl}/noteburst`,
          openapi: `${originUrl}/noteburst/openapi.json`,
          versions: { v1: { url: `${originUrl}/noteburst/v1` } },
        },
      },
      ui: { nublado: { url: `${originUrl}/nb` } },
    },
  };
}
