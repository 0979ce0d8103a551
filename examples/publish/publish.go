// Publishes a message to the subscribers of an entity, with the AWS SDK: go run publish.go order-1 '{"state":"shipped"}'
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// publish puts up to ten events on the bus, and again those that it did not accept.
func publish(ctx context.Context, client *eventbridge.Client, entries []types.PutEventsRequestEntry) error {
	var last string
	for attempt := 0; attempt < 5; attempt++ {
		answer, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
		if err != nil {
			return err
		}
		// The request succeeds even if the bus accepted none of the events.
		if answer.FailedEntryCount == 0 {
			return nil
		}
		var failed []types.PutEventsRequestEntry
		for i, result := range answer.Entries {
			if result.ErrorCode != nil {
				failed = append(failed, entries[i])
				last = *result.ErrorCode
			}
		}
		entries = failed
		time.Sleep(100 * time.Millisecond << attempt)
	}
	return fmt.Errorf("the bus did not accept %d events: %s", len(entries), last)
}

func entityUpdated(entityID string, message json.RawMessage) (types.PutEventsRequestEntry, error) {
	// The key is the push's id: with the same one, a repeat of the event is no second push.
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return types.PutEventsRequestEntry{}, err
	}
	fields := map[string]any{"entityId": entityID, "message": message, "idempotencyKey": hex.EncodeToString(key)}
	detail, err := json.Marshal(fields)
	bus := os.Getenv("EVENT_BUS_NAME")
	if bus == "" {
		bus = "default"
	}
	return types.PutEventsRequestEntry{
		EventBusName: aws.String(bus),
		Source:       aws.String("shop"),
		DetailType:   aws.String("Entity Updated"),
		Detail:       aws.String(string(detail)),
	}, err
}

func main() {
	ctx := context.Background()
	configuration, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	entry, err := entityUpdated(os.Args[1], json.RawMessage(os.Args[2]))
	if err != nil {
		log.Fatal(err)
	}
	client := eventbridge.NewFromConfig(configuration)
	if err := publish(ctx, client, []types.PutEventsRequestEntry{entry}); err != nil {
		log.Fatal(err)
	}
}
