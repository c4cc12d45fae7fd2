declare module "virtual:basis-worker";
