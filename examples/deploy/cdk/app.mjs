// Herald as a stack within a stack of a CDK app, with a rule of the app's own: docs/deploying.md.
import { App, CfnOutput, CfnStack, Stack } from 'aws-cdk-lib';
import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Queue } from 'aws-cdk-lib/aws-sqs';

const app = new App();
const shop = new Stack(app, 'shop');

// Written by `scripts/sam package`.
const template = new Asset(shop, 'HeraldTemplate', { path: process.env.HERALD_TEMPLATE ?? 'packaged.yaml' });
const herald = new CfnStack(shop, 'Herald', {
  templateUrl: template.httpUrl,
  parameters: {
    Authentication: 'secret',
    RuleArns: shop.formatArn({ service: 'events', resource: 'rule', resourceName: 'shop-OrderShipped*' }),
  },
});
const output = (name) => herald.getAtt(`Outputs.${name}`).toString();
new CfnOutput(shop, 'WebSocketUri', { value: output('WebSocketUri') });

const rule = new Rule(shop, 'OrderShipped', {
  eventPattern: { source: ['shop.orders'], detailType: ['Order Shipped'] },
});
rule.addTarget(
  new SqsQueue(Queue.fromQueueArn(shop, 'Notifications', output('NotificationQueueArn')), {
    message: RuleTargetInput.fromObject({
      entityId: EventField.fromPath('$.detail.orderId'),
      message: { state: 'shipped', carrier: EventField.fromPath('$.detail.carrier') },
      idempotencyKey: EventField.eventId,
    }),
  }),
);

app.synth();
