import { Page } from '../parts/Page';

export default function Assets() {
  return (
    <Page title="Assets">
      <span />
    </Page>
  );
}
