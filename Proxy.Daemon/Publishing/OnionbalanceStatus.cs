using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;

namespace TorBalancer.Daemon.Publishing;

/// <summary>
/// The JSON of Onionbalance's status socket, field for field (onionbalance 0.2, hs_v3/status.py): keys in alphabetical order, times of UTC
/// without a zone. An instance whose descriptor has not come has the fields "onionAddress" and "received" only, as there.
/// </summary>
internal static class OnionbalanceStatus
{
    private const string Time = "yyyy-MM-dd HH:mm:ss";

    public static byte[] Write(PublisherState state)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartArray("services");
            foreach (var service in state.Services)
                WriteService(json, service);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private static void WriteService(Utf8JsonWriter json, BalancedService service)
    {
        json.WriteStartObject();
        json.WriteStartArray("instances");
        foreach (var instance in service.Instances)
        {
            var known = instance.State;
            json.WriteStartObject();
            if (known.Content is { } content)
            {
                WriteTime(json, "descriptorReceived", known.ReceivedAt);
                json.WriteNumber("introPointsNum", content.IntroductionPoints.Count);
                WriteTime(json, "introSetModified", known.ChangedAt);
            }

            json.WriteString("onionAddress", known.Address.ToString());
            if (known.Content is null)
                json.WriteNull("received");
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("onionAddress", service.Identity.Address.ToString());
        WriteTime(json, "publishAttemptFirstDescriptor", service.Version(DescriptorOrder.First)?.AttemptedAt);
        WriteTime(json, "publishAttemptSecondDescriptor", service.Version(DescriptorOrder.Second)?.AttemptedAt);
        json.WriteEndObject();
    }

    private static void WriteTime(Utf8JsonWriter json, string name, DateTimeOffset? time)
    {
        if (time is { } value)
            json.WriteString(name, value.UtcDateTime.ToString(Time, CultureInfo.InvariantCulture));
        else
            json.WriteNull(name);
    }
}
