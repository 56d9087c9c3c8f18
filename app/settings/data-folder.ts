/** Where the data is when nobody says, for the hosts of the application, which reach mta/ through app/. */
export { dataFolder } from '#mta/config/data-folder.ts';
