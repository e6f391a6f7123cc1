using System.Text.Json.Serialization;

namespace TorBalancer.Health.Alerts;

/// <summary>What kind of event it is; its snake_case word is contract.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<HealthEventKind>))]
public enum HealthEventKind : byte
{
    /// <summary>A worker changed its state.</summary>
    [JsonStringEnumMemberName("state_changed")]
    StateChanged,

    /// <summary>A worker has failed through all waits of its recovery: "Worker requires manual intervention".</summary>
    [JsonStringEnumMemberName("manual_intervention")]
    ManualIntervention,

    /// <summary>All workers fail at once: nobody is declared dead until one succeeds.</summary>
    [JsonStringEnumMemberName("demotion_frozen")]
    DemotionFrozen,

    [JsonStringEnumMemberName("demotion_thawed")]
    DemotionThawed,
}

/// <summary>Something that an operator may want to hear of.</summary>
/// <param name="Worker">Its id; empty when it concerns all.</param>
/// <param name="From">The state before; empty when no state changed.</param>
/// <param name="To">The state after; empty when no state changed.</param>
/// <param name="Reason">For people.</param>
/// <param name="Suppressed">Events of this worker and kind that were not sent since the last one.</param>
public sealed record HealthEvent(
    HealthEventKind Kind, DateTimeOffset Time, string Worker, string From, string To, string Reason, int Suppressed = 0)
{
    public const string InterventionText = "Worker requires manual intervention";

    /// <summary>The snake_case word of the kind.</summary>
    public static string Word(HealthEventKind kind) => kind switch
    {
        HealthEventKind.StateChanged => "state_changed",
        HealthEventKind.ManualIntervention => "manual_intervention",
        HealthEventKind.DemotionFrozen => "demotion_frozen",
        _ => "demotion_thawed",
    };
}

/// <summary>How an event looks as JSON; generated, because reflection is not there in the released executable.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(HealthEvent))]
internal sealed partial class HealthEventJson : JsonSerializerContext;
