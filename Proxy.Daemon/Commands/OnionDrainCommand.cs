using System.CommandLine;
using System.Net;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Publishing;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer onion drain|enable SERVICE INSTANCE</c>.</summary>
internal static class OnionDrainCommand
{
    public static Command Drain() => Create(
        "drain", "Take an instance out of its service's descriptors at once, until it is enabled again; a restart changes nothing.");

    public static Command Enable() => Create("enable", "Put a drained instance back.");

    private static Command Create(string verb, string description)
    {
        var service = new Argument<string>("SERVICE") { Description = "The part after the colon of [OnionService:…]." };
        var instance = new Argument<string>("INSTANCE") { Description = "The part after the slash of [Instance:…/…]." };
        var command = new Command(verb, description) { service, instance };
        var arguments = ConfigurationArguments.AddTo(command);
        command.SetAction((parsed, cancellationToken) => PublisherClient.RunAsync(
            parsed, arguments, $"onion {verb}",
            async (client, token) =>
            {
                string path = $"/api/v1/onion/{Uri.EscapeDataString(parsed.GetValue(service)!)}"
                    + $"/instances/{Uri.EscapeDataString(parsed.GetValue(instance)!)}/{verb}";
                using var answer = await client.SendAsync(HttpMethod.Post, path, body: null, token);
                var console = parsed.InvocationConfiguration;
                if (answer.Status != HttpStatusCode.OK)
                {
                    string detail = answer.Body.RootElement.Text("detail") is { } text
                        ? Printable.Of(text) : $"status {(int)answer.Status}";
                    await console.Error.WriteLineAsync($"torbalancer onion {verb}: {detail}");
                    return ExitCodes.Failed;
                }

                string name = $"{parsed.GetValue(service)}/{parsed.GetValue(instance)}";
                await console.Output.WriteLineAsync(verb == "drain" ? $"{name}: drained, until it is enabled" : $"{name}: enabled");
                if (answer.Body.RootElement.Text("not_kept") is { } problem)
                {
                    await console.Error.WriteLineAsync(
                        $"torbalancer onion {verb}: the publisher's next start will not know of it: {Printable.Of(problem)}");
                }

                return ExitCodes.Done;
            },
            cancellationToken));
        return command;
    }
}
